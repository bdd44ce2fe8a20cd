"""What was tried, taken and taken back stays within its company and keeps who, how much and through whom."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key, frozen, frozen_but, plain_key

GATEWAY = "billing_gateway"
METHOD = "billing_paymentmethod"
KEYS = [
    ("paymentmethod", "customer_id", "customers_customer", "payment_method_customer_same_company"),
    ("paymentmethod", "gateway_id", GATEWAY, "payment_method_gateway_same_company"),
    ("mandate", "method_id", METHOD, "mandate_method_same_company"),
    ("mandate", "amends_id", "billing_mandate", "mandate_amends_same_company"),
    ("subscriptionmethod", "subscription_id", "subscriptions_subscription", "paid_by_subscription_same_company"),
    ("subscriptionmethod", "method_id", METHOD, "paid_by_method_same_company"),
    ("debitbatch", "gateway_id", GATEWAY, "debit_batch_gateway_same_company"),
    ("attempt", "invoice_id", "billing_invoice", "attempt_invoice_same_company"),
    ("attempt", "customer_id", "customers_customer", "attempt_customer_same_company"),
    ("attempt", "gateway_id", GATEWAY, "attempt_gateway_same_company"),
    ("attempt", "method_id", METHOD, "attempt_method_same_company"),
    ("attempt", "batch_id", "billing_debitbatch", "attempt_batch_same_company"),
    ("payment", "gateway_id", GATEWAY, "payment_gateway_same_company"),
    ("payment", "attempt_id", "billing_attempt", "payment_attempt_same_company"),
    ("refund", "gateway_id", GATEWAY, "refund_gateway_same_company"),
    ("reversal", "payment_id", "billing_payment", "reversal_payment_same_company"),
    ("reversal", "gateway_id", GATEWAY, "reversal_gateway_same_company"),
    ("gatewayevent", "gateway_id", GATEWAY, "gateway_event_gateway_same_company"),
    ("bankline", "statement_id", "billing_bankstatement", "bank_line_statement_same_company"),
    ("bankline", "customer_id", "customers_customer", "bank_line_customer_same_company"),
    ("bankline", "invoice_id", "billing_invoice", "bank_line_invoice_same_company"),
    ("bankline", "payment_id", "billing_payment", "bank_line_payment_same_company"),
    ("bankline", "refund_id", "billing_refund", "bank_line_refund_same_company"),
    ("dunningstep", "policy_id", "billing_dunningpolicy", "dunning_step_policy_same_company"),
    ("dunningcase", "customer_id", "customers_customer", "dunning_case_customer_same_company"),
    ("dunningcase", "policy_id", "billing_dunningpolicy", "dunning_case_policy_same_company"),
    ("dunningentry", "case_id", "billing_dunningcase", "dunning_entry_case_same_company"),
    ("dunningentry", "attempt_id", "billing_attempt", "dunning_entry_attempt_same_company"),
    ("claim", "case_id", "billing_dunningcase", "claim_case_same_company"),
    ("claim", "customer_id", "customers_customer", "claim_customer_same_company"),
    ("claim", "invoice_id", "billing_invoice", "claim_invoice_same_company"),
]

UNGUARDED = """
DROP TRIGGER billing_payment_frozen ON billing_payment;
DROP TRIGGER billing_payment_frozen_truncate ON billing_payment;
DROP TRIGGER billing_refund_frozen ON billing_refund;
DROP TRIGGER billing_refund_frozen_truncate ON billing_refund;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0020_money_in")]
    operations = [
        LOCK_TIMEOUT,
        *[company_key(f"billing_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
        plain_key("billing_bankstatement", "company_id", "core_company", name="bank_statement_company"),
        migrations.RunSQL(UNGUARDED, migrations.RunSQL.noop),
        frozen_but(
            "billing_payment", "customer_id", "status", "reference", "note", "fee_minor", "settled_currency",
            "settled_minor",
        ),
        frozen_but(
            "billing_refund", "status", "paid_on", "reference", "gateway_id", "payment_id", "key", "external_id",
            "failure", "first_sent_at", "next_look_at", "looks",
        ),
        frozen("billing_dunningentry"),
        frozen_but("billing_gatewayevent", "state", "tries", "outcome", "done_at"),
        frozen_but("billing_reversal", "state", "fee_minor", "reason", "detail", "answer_by", "closed_on"),
        frozen_but(
            "billing_attempt", "state", "external_id", "collect_on", "batch_id", "action_url", "reason", "detail",
            "first_sent_at", "next_look_at", "looks", "expires_at", "closed_at", "closing_proof_id", "proposed_state",
            "proposed_by",
        ),
        frozen_but("billing_claim", "status", "closed_on", "payment_id"),
        frozen_but("billing_debitbatch", "state", "sent_at"),
        frozen_but("billing_mandate", "is_amendment_told", "last_used_on", "ended_on"),
        frozen_but("billing_bankstatement", "line_count", "new_count"),
    ]  # fmt: skip
