// Runs docs/erps/netsuite/orderack_receipt.js outside NetSuite, with stand-ins for its modules, and prints what it posted.
const fs = require('fs')
const nodeCrypto = require('crypto')

const [, , script, given] = process.argv
const { secret, order, type, broken } = JSON.parse(given)
let registered

const value = (name, raw) => (/date$/.test(name) && raw ? new Date(raw) : raw)
const modules = {
  'N/crypto': {
    HashAlg: { SHA256: 'SHA256' },
    createSecretKey: ({ secret: id, encoding }) => {
      if (id !== 'custsecret_orderack' || encoding !== 'BASE_64') throw new Error('no such secret')
      return Buffer.from(secret, 'base64')
    },
    createHmac: ({ algorithm, key }) => {
      const hmac = nodeCrypto.createHmac(algorithm, key)
      return { update: ({ input }) => hmac.update(input, 'utf8'), digest: () => hmac.digest('base64') }
    }
  },
  'N/encode': { Encoding: { BASE_64: 'BASE_64', UTF_8: 'UTF_8' } },
  'N/https': { post: (request) => { console.log(JSON.stringify(request)); return { code: 202 } } },
  'N/log': { error: (entry) => console.error(JSON.stringify(entry)) },
  'N/record': {
    Type: { SALES_ORDER: 'salesorder' },
    load: () => {
      if (broken) throw new Error('no permission')
      return {
        id: order.id,
        getValue: ({ fieldId }) => value(fieldId, order.fields[fieldId]),
        getLineCount: () => order.lines.length,
        getSublistValue: ({ fieldId, line }) => value(fieldId, order.lines[line][fieldId]),
        getSublistText: ({ fieldId, line }) => order.lines[line][`${fieldId}_text`]
      }
    }
  },
  'N/runtime': {
    getCurrentScript: () => ({
      getParameter: ({ name }) => ({
        custscript_orderack_secret: 'custsecret_orderack',
        custscript_orderack_url: 'https://acks.example.com/receipts/netsuite'
      })[name]
    })
  }
}

const define = (names, make) => { registered = make(...names.map((name) => modules[name])) }
new Function('define', fs.readFileSync(script, 'utf8'))(define)
registered.afterSubmit({ type, UserEventType: { DELETE: 'delete' }, newRecord: { id: order.id } })
