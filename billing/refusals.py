"""Words of this room's refusals: code to sentence, with named placeholders."""

from django.utils.translation import gettext_lazy as _

from core.refusal import register

register(
    {
        "document.not_issued": _("A draft has no document yet; issue it first."),
        "document.altered": _("The stored content of %(number)s is no longer what was issued; it can't be printed."),
        "document.layout_unknown": _("%(number)s names the layout %(template)s, which this version doesn't have."),
        "document.no_recipient": _("There is no e-mail address to send %(number)s to."),
        "company.slug_taken": _("There is already a company with the address name %(value)s."),
        "company.field": _("This field says: %(detail)s"),
        "invoice.move": _("An invoice that is %(state)s can't become %(to)s."),
        "payment.amount": _("The amount must be above zero."),
        "payment.currency": _("The payment is in %(currency)s, the invoice in %(other)s."),
        "payment.other_customer": _("This invoice belongs to another customer."),
        "payment.nothing_open": _("Nothing is open on %(number)s."),
        "payment.more_than_open": _("Only %(open)s is open on %(number)s."),
        "payment.more_than_left": _("Only %(left)s of the payment is left."),
        "payment.received_range": _("%(day)s can't be the day the money came."),
        "payment.returned_range": _("%(day)s can't be the day the money went back."),
        "refund.paid_range": _("%(day)s can't be the day it was paid out."),
        "credit.line_twice": _("Line %(position)s is named twice."),
        "credit.days_outside": _("Line %(position)s doesn't cover these days."),
        "payment.not_settled": _("This payment is %(state)s; it can't be used."),
        "payment.refunded_already": _("Part of this payment was paid out again; it can't be taken back whole."),
        "payment.customer_missing": _("Name the customer the payment belongs to."),
        "credit.too_little": _("Only %(left)s of credit is left."),
        "refund.move": _("A refund that is %(state)s can't become %(to)s."),
        "reason.missing": _("Say why."),
        "credit.above_left": _("That is more than is left to give back: %(left)s."),
        "credit.line_unknown": _("There is no such line on an issued invoice."),
        "credit.nothing_left": _("Nothing is left to give back on %(number)s."),
        "credit.not_issued": _("A draft can be changed; only an issued invoice is given back."),
        "credit.pack_used": _("Of the credit it sold only %(left)s is unused; used credit can't be taken back."),
        "credit.pack_price": _("Prepaid credit is worth at least what is paid for it."),
        "credit.not_granted": _("Only granted credit can be taken back; money is paid out, prepaid credit credited."),
        "credit.nothing_unused": _("Nothing of it is unused."),
        "credit.expired": _("Credit can't expire before today."),
        "draft.line_unknown": _("Line %(position)s continues a line that the draft doesn't have, or has already."),
        "draft.not_issued": _("The draft can't be issued now: %(detail)s"),
        "void.not_open": _("An invoice that is %(state)s can't be voided."),
        "draft.only": _("%(number)s is issued and never changes."),
        "draft.empty": _("A draft needs at least one line."),
        "draft.product": _("Line %(position)s names no product; say how it is taxed."),
        "draft.quantity": _("Line %(position)s: quantity and price must be numbers from zero."),
        "draft.period": _("Line %(position)s: its period ends before it begins."),
        "draft.zero": _("Its total is zero; this company doesn't issue such invoices."),
        "draft.taxes": _("Its taxes can't be decided: %(detail)s."),
        "draft.currency": _("%(currency)s is no currency that can be billed."),
        "billing.runaway_twin": _("Two lines would begin on the same day."),
        "billing.runaway_day": _("There would be %(lines)s lines for one position on one day."),
        "billing.runaway_boundaries": _(
            "There would be %(lines)s lines where the calendar has room for %(boundaries)s."
        ),
        "sandbox.too_many": _("This company has %(most)s sandboxes already."),
        "billing.quantity_too_large": _("The usage is more than a document can say."),
        "billing.nothing_agreed": _("There is nothing to bill: no position, or no terms."),
        "billing.revenue_account": _(
            "Revenue of %(product)s can't be booked on account %(account)s, which holds something else (%(use)s). "
            "Give the product another revenue account, then try again."
        ),
        "billing.stuck": _("It stays due although nothing was left to bill."),
        "billing.refused_by_database": _("The database refused what was to be billed; the details say what."),
        "run.held": _(
            "The billing run for %(on)s waits for a person: it wrote more lines than it had counted before. "
            "Look at it, then let it go on."
        ),
        "run.not_held": _("This billing run doesn't wait for anybody."),
        "tax_rate_missing": _("No tax rate is known for %(country)s (%(category)s) on %(on)s."),
        "tax_outside_scope_not_alone": _("What is outside the scope of VAT stands alone on its document."),
        "billing.unexpected": _("Something unexpected happened; the details say what."),
        "preview.differs": _("The figures have changed since the preview. Look at the new ones, then confirm again."),
        "rate_correction.nothing": _("No issued document bears another rate than the table says."),
        "rate_correction.too_many": _("%(count)s invoices are more than one correction takes: %(limit)s at most."),
        "exchange_rates.form": _("This is no file of reference rates as the ECB publishes them: %(detail)s."),
        "exchange_rates.empty": _("The file holds no rates."),
        "exchange_rates.fetch": _("The reference rates could not be fetched: %(detail)s."),
        "attempt.nothing_due": _("Nothing is due on %(number)s."),
        "attempt.one_alive": _("A payment of %(number)s is under way already."),
        "attempt.not_open": _("This attempt is %(state)s; it can't be closed by hand."),
        "attempt.proof_missing": _("Attach what shows how it ended."),
        "attempt.second_person": _("A second person has to agree."),
        "attempt.no_way": _("%(gateway)s can't be used for this."),
        "gateway.address_local": _(
            "%(address)s is an address of this machine or network; a live company needs the provider's own."
        ),
        "gateway.address_missing": _(
            "A test company never talks to a real provider. Say in %(gateway)s where its stand-in is."
        ),
        "gateway.field_missing": _("%(name)s is needed."),
        "gateway.kind_taken": _("There is an active gateway for %(kind)s already; switch it off first."),
        "method.not_usable": _("This payment method is %(state)s; it can't be charged."),
        "method.other_customer": _("This payment method belongs to another customer."),
        "method.in_use": _("A payment with it is under way; it can be removed afterwards."),
        "method.none": _("There is no payment method on file; send a link to add one."),
        "dunning.policy_taken": _("There is an active policy for these customers already; change that one."),
        "dunning.general_stays": _("The general policy is for everybody else; it stays and has no condition."),
        "dunning.steps_count": _("A policy has 1 to %(most)s steps."),
        "dunning.step_days": _("A step is 0 to %(most)s days after the due date."),
        "dunning.step_level": _("Reminders have the levels 0 to 3."),
        "dunning.not_open": _("This case is %(state)s."),
        "dunning.no_step": _("No step is left in this case."),
        "dunning.stopped": _("Nothing may go out now: %(reason)s."),
        "dunning.day_range": _("%(day)s can't be the last day of it."),
        "claim.not_open": _("A claim that is %(state)s can't be waived."),
        "interest.half_year": _("%(day)s is not the first day of a half-year."),
        "interest.principal": _("Interest needs an amount from zero."),
        "pay_link.invalid": _("This link is not complete, or not one of ours."),
        "pay_link.over": _("This link was good until %(day)s. Ask for a new one."),
        "refund.above_payment": _("The payment has less left than this refund gives back."),
        "tax.no_exchange_rate": _(
            "No exchange rate for %(currency)s is stored for %(day)s or earlier, so the tax can't be stated in the tax"
            " currency. Load the reference rates of the European Central Bank, then try again."
        ),
    }
)
