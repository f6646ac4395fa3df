"""Every name that enters Temporal history. Frozen: add, never rename."""

WORKFLOW = "OrderAcknowledgement"

ORDERS_QUEUE = "orders"
MESSAGING_QUEUE = "messaging"
ERP_QUEUE = "erp"

SIGNAL_ERP_RECEIPT = "erp_receipt"
SIGNAL_EVIDENCE = "evidence"
SIGNAL_PAYMENT_CHANGED = "payment_changed"

UPDATE_SUBMIT = "submit"
UPDATE_CHANGE = "change"
UPDATE_CANCEL = "cancel"
UPDATE_DECIDE_REVIEW = "decide_review"
UPDATE_CLAIM = "claim"
UPDATE_ACCEPT_HANDOFF = "accept_handoff"
UPDATE_SETTLE_SEND = "settle_send"
UPDATE_ASK = "ask"
UPDATE_ANSWER = "answer"

QUERY_STATUS = "status"
QUERY_TIMELINE = "timeline"

ASSESS = "assess"
SUBMIT_TO_ERP = "submit_to_erp"
CANCEL_IN_ERP = "cancel_in_erp"
ACKNOWLEDGE = "acknowledge"
HAND_OFF = "hand_off"
RECORD = "record"
