/**
 * Pushes the ERP receipt of an order that orderack submitted, once NetSuite has approved it and again when it is changed.
 * Deploy on Sales Order, After Submit, status Released, execute as a role that may read sales orders.
 *
 * Script parameters: custscript_orderack_url (free-form text), custscript_orderack_secret (free-form text: the script id
 * of an API secret, custsecret_…, that holds what follows `whsec_` in ORDERACK_ERP_…_WEBHOOK_SECRET).
 *
 * @NApiVersion 2.1
 * @NScriptType UserEventScript
 */
define(['N/crypto', 'N/encode', 'N/https', 'N/log', 'N/record', 'N/runtime'],
  (crypto, encode, https, log, record, runtime) => {
    const ORDER_FIELD = 'custbody_orderack_order'
    const LINE_FIELD = 'custcol_orderack_line'
    const PENDING_APPROVAL = 'A'
    const CANCELLED = 'C'
    const CLOSED = 'H'
    const STOCKED = ['InvtPart', 'Assembly']

    const afterSubmit = (context) => {
      if (context.type === context.UserEventType.DELETE) return
      try {
        // what was committed and back-ordered is known once the record has been saved: it is loaded anew
        const order = record.load({ type: record.Type.SALES_ORDER, id: context.newRecord.id })
        const receipt = read(order)
        if (receipt) post(receipt)
      } catch (error) {
        // a push that fails is no reason to refuse the save: orderack asks for what it was not told
        log.error({ title: 'orderack', details: error.name || 'error' })
      }
    }

    const read = (order) => {
      const status = order.getValue({ fieldId: 'orderstatus' })
      const said = order.getValue({ fieldId: ORDER_FIELD })
      if (!said || status === PENDING_APPROVAL) return null
      const mark = JSON.parse(said)
      const lines = []
      for (let line = 0; line < order.getLineCount({ sublistId: 'item' }); line += 1) {
        // stock that NetSuite has not looked at yet says nothing: orderack asks later
        if (status !== CANCELLED && status !== CLOSED && undecided(order, line)) return null
        const verdict = judge(order, line, status === CANCELLED)
        if (verdict) lines.push(verdict)
      }
      if (lines.length !== mark.lines) return null
      const time = mark.revision === 1 ? 'createddate' : 'lastmodifieddate'
      return {
        id: `${order.id}/${mark.revision}`,
        store: mark.store,
        number: mark.number,
        revision: mark.revision,
        document_id: order.getValue({ fieldId: 'tranid' }),
        recorded_at: (order.getValue({ fieldId: time }) || new Date()).toISOString(),
        lines
      }
    }

    const undecided = (order, line) => {
      const value = (fieldId) => order.getSublistValue({ sublistId: 'item', fieldId, line })
      if (!value(LINE_FIELD) || !STOCKED.includes(value('itemtype')) || value('isclosed') === true) return false
      return !['quantitycommitted', 'quantitybackordered', 'quantityfulfilled'].some((field) => Number(value(field)))
    }

    const judge = (order, line, cancelled) => {
      const value = (fieldId) => order.getSublistValue({ sublistId: 'item', fieldId, line })
      const found = /^(\S+) (\S+) ([\s\S]+)$/.exec(value(LINE_FIELD) || '')
      if (!found) return null
      const [, item, ordered, lineId] = found
      const verdict = (word, more) => Object.assign({ line_id: lineId, verdict: word }, more)
      const expected = value('expectedshipdate')
      const when = expected ? { expected_on: day(expected) } : {}
      const supplied = Number(value('quantity')) - Number(value('quantitybackordered') || 0)
      if (cancelled || value('isclosed') === true) return verdict('unavailable')
      if (String(value('item')) !== item) {
        const other = order.getSublistText({ sublistId: 'item', fieldId: 'item', line })
        return verdict('substituted', { substitute_sku: other })
      }
      if (supplied >= Number(ordered)) return verdict('available')
      const whole = Math.floor(supplied * 10000) / 10000 // orders have four decimals
      if (whole > 0) return verdict('partial', Object.assign({ quantity: whole }, when))
      return verdict('backordered', when)
    }

    const day = (date) => {
      const two = (number) => String(number).padStart(2, '0')
      return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
    }

    // Standard Webhooks: base64 of HMAC-SHA256 over id.timestamp.body
    const post = (receipt) => {
      const script = runtime.getCurrentScript()
      const body = JSON.stringify(receipt)
      const id = `netsuite-${receipt.id.replace('/', '-')}-${Date.now()}`
      const timestamp = String(Math.floor(Date.now() / 1000))
      const key = crypto.createSecretKey({
        secret: script.getParameter({ name: 'custscript_orderack_secret' }),
        encoding: encode.Encoding.BASE_64
      })
      const hmac = crypto.createHmac({ algorithm: crypto.HashAlg.SHA256, key })
      hmac.update({ input: `${id}.${timestamp}.${body}`, inputEncoding: encode.Encoding.UTF_8 })
      const signature = hmac.digest({ outputEncoding: encode.Encoding.BASE_64 })
      const answer = https.post({
        url: script.getParameter({ name: 'custscript_orderack_url' }),
        body,
        headers: {
          'Content-Type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${signature}`
        }
      })
      if (answer.code >= 300) log.error({ title: 'orderack', details: `the receipt was answered ${answer.code}` })
    }

    return { afterSubmit }
  })
