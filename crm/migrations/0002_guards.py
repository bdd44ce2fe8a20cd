"""Alerts and tasks name rows of their own company alone."""

from django.db import migrations

from core.schema import LOCK_TIMEOUT, company_key

RULE, ROLE = "crm_alertrule", "core_role"
CUSTOMER, SUBSCRIPTION, INVOICE = "customers_customer", "subscriptions_subscription", "billing_invoice"
KEYS = [
    ("alertaudience", "rule_id", RULE, "alert_audience_rule_same_company"),
    ("alertaudience", "role_id", ROLE, "alert_audience_role_same_company"),
    ("alert", "rule_id", RULE, "alert_rule_same_company"),
    ("alert", "customer_id", CUSTOMER, "alert_customer_same_company"),
    ("alert", "subscription_id", SUBSCRIPTION, "alert_subscription_same_company"),
    ("alert", "invoice_id", INVOICE, "alert_invoice_same_company"),
    ("task", "customer_id", CUSTOMER, "task_customer_same_company"),
    ("task", "subscription_id", SUBSCRIPTION, "task_subscription_same_company"),
    ("task", "invoice_id", INVOICE, "task_invoice_same_company"),
    ("task", "alert_id", "crm_alert", "task_alert_same_company"),
    ("task", "team_id", ROLE, "task_team_same_company"),
    ("taskcomment", "task_id", "crm_task", "task_comment_same_company"),
]


class Migration(migrations.Migration):
    dependencies = [("crm", "0001_alerts_and_tasks")]
    operations = [
        LOCK_TIMEOUT,
        *[company_key(f"crm_{table}", column, parent, name=name) for table, column, parent, name in KEYS],
    ]
