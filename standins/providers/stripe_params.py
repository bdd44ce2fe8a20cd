"""The parameters that each operation of API version 2026-10-28.endive takes; any other is refused as unknown.

A test compares them with the installed SDK. Ways to pay that are not card, SEPA, link or PayPal are left out.
"""

from __future__ import annotations

KNOWN: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "customers.create": (
            "address balance business_name cash_balance description email expand individual_name "
            "invoice_prefix invoice_settings metadata name next_invoice_sequence payment_method phone "
            "preferred_locales shipping source tax tax_exempt tax_id_data test_clock validate"
        ),
        "customers.update": (
            "address balance business_name cash_balance default_source description email expand "
            "individual_name invoice_prefix invoice_settings metadata name next_invoice_sequence phone "
            "preferred_locales shipping source tax tax_exempt validate"
        ),
        "customers.list": "created email ending_before expand limit starting_after test_clock",
        "payment_methods.create": (
            "allow_redisplay billing_details card custom customer customer_balance expand link metadata "
            "payment_method paypal radar_options sepa_debit type us_bank_account"
        ),
        "payment_methods.update": "allow_redisplay billing_details card expand metadata us_bank_account",
        "payment_methods.attach": "customer customer_account expand",
        "payment_methods.list": (
            "allow_redisplay customer customer_account ending_before expand limit starting_after type"
        ),
        "setup_intents.create": (
            "allowed_payment_method_types attach_to_self automatic_payment_methods confirm "
            "confirmation_token customer customer_account description excluded_payment_method_types expand "
            "flow_directions mandate_data metadata on_behalf_of payment_method payment_method_configuration "
            "payment_method_data payment_method_options return_url single_use usage use_stripe_sdk"
        ),
        "setup_intents.confirm": (
            "allowed_payment_method_types confirmation_token expand mandate_data payment_method "
            "payment_method_data payment_method_options return_url use_stripe_sdk"
        ),
        "setup_intents.update": (
            "allowed_payment_method_types attach_to_self customer customer_account description "
            "excluded_payment_method_types expand flow_directions metadata payment_method "
            "payment_method_configuration payment_method_data payment_method_options"
        ),
        "setup_intents.cancel": "cancellation_reason expand",
        "setup_intents.list": (
            "attach_to_self created customer customer_account ending_before expand limit payment_method starting_after"
        ),
        "payment_intents.create": (
            "allowed_payment_method_types amount amount_details application_fee_amount "
            "automatic_payment_methods capture_method confirm confirmation_method confirmation_token "
            "currency customer customer_account description error_on_requires_action "
            "excluded_payment_method_types expand hooks mandate mandate_data metadata off_session "
            "on_behalf_of payment_details payment_method payment_method_configuration payment_method_data "
            "payment_method_options radar_options receipt_email return_url setup_future_usage shipping "
            "statement_descriptor statement_descriptor_suffix transfer_data transfer_group use_stripe_sdk"
        ),
        "payment_intents.confirm": (
            "allowed_payment_method_types amount_details amount_to_confirm capture_method confirmation_token "
            "error_on_requires_action excluded_payment_method_types expand hooks mandate mandate_data "
            "off_session payment_details payment_method payment_method_data payment_method_options "
            "radar_options receipt_email return_url setup_future_usage shipping use_stripe_sdk"
        ),
        "payment_intents.update": (
            "allowed_payment_method_types amount amount_details application_fee_amount capture_method "
            "currency customer customer_account description excluded_payment_method_types expand hooks "
            "metadata payment_details payment_method payment_method_configuration payment_method_data "
            "payment_method_options receipt_email setup_future_usage shipping statement_descriptor "
            "statement_descriptor_suffix transfer_data transfer_group"
        ),
        "payment_intents.cancel": "cancellation_reason expand",
        "payment_intents.list": "created customer customer_account ending_before expand limit starting_after",
        "payment_intents.search": "expand limit page query",
        "charges.list": "created customer ending_before expand limit payment_intent starting_after transfer_group",
        "charges.update": "customer description expand fraud_details metadata receipt_email shipping transfer_group",
        "refunds.create": (
            "amount charge currency customer expand instructions_email metadata origin payment_intent reason "
            "refund_application_fee reverse_transfer"
        ),
        "refunds.update": "expand metadata",
        "refunds.list": "charge created ending_before expand limit payment_intent starting_after",
        "disputes.list": "charge created ending_before expand limit payment_intent starting_after",
        "disputes.update": "evidence expand intended_submission_method metadata submit",
        "balance_transactions.list": "created currency ending_before expand limit payout source starting_after type",
        "checkout.sessions.create": (
            "adaptive_pricing after_expiration allow_promotion_codes allowed_payment_method_types "
            "automatic_tax billing_address_collection branding_settings cancel_url client_reference_id "
            "consent_collection currency custom_fields custom_text customer customer_account "
            "customer_creation customer_email customer_update discounts excluded_payment_method_types expand "
            "expires_at integration_identifier invoice_creation line_items locale managed_payments metadata "
            "mode name_collection optional_items origin_context payment_intent_data "
            "payment_method_collection payment_method_configuration payment_method_data "
            "payment_method_options permissions phone_number_collection redirect_on_completion return_url "
            "saved_payment_method_options setup_intent_data shipping_address_collection shipping_options "
            "submit_type subscription_data success_url tax_id_collection ui_mode wallet_options"
        ),
        "checkout.sessions.list": (
            "created customer customer_account customer_details ending_before expand limit payment_intent "
            "payment_link starting_after status subscription"
        ),
        "events.list": "created delivery_success ending_before expand limit starting_after type types",
        "webhook_endpoints.create": "api_version connect description enabled_events expand metadata url",
        "webhook_endpoints.update": "description disabled enabled_events expand metadata url",
        "webhook_endpoints.list": "ending_before expand limit starting_after",
        "checkout.sessions.expire": "expand",
        "payment_methods.detach": "expand",
        "disputes.close": "expand",
    }.items()
}
