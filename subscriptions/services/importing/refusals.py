"""Words of the import's refusals: code to sentence, with named placeholders."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from core.refusal import register

register(
    {
        # the file as a whole
        "import.too_big": _("The file is larger than %(most)s MB."),
        "import.too_many_rows": _("The file has more than %(most)s lines."),
        "import.empty": _("The file has no heading."),
        "import.encoding": _("Line %(line)s is not UTF-8. Save the file as CSV with UTF-8."),
        "import.old_workbook": _("This is a workbook of an old Excel. Save it as XLSX or CSV."),
        "import.workbook": _("The workbook is damaged and can't be read."),
        "import.sheet_missing": _("There is no sheet %(name)s; there are: %(sheets)s."),
        "import.csv": _("Line %(line)s is no CSV: %(reason)s."),
        "import.cell_too_long": _("Line %(line)s has a field of more than %(limit)s characters."),
        "import.heading_empty": _("Column %(position)s has no name in the heading."),
        "import.heading_twice": _("The heading has the column %(name)s twice."),
        "import.column_missing": _("The file has no column %(column)s, named by the mapping. It has: %(columns)s."),
        # the mapping
        "import.mapping_toml": _("The mapping is no TOML: %(reason)s."),
        "import.mapping_key": _("The mapping has a key nobody knows: %(path)s. Possible are: %(choices)s."),
        "import.mapping_missing": _("The mapping lacks %(path)s."),
        "import.mapping_kind": _("The mapping has the wrong kind of value at %(path)s."),
        "import.mapping_source": _("%(path)s needs either a column or a value."),
        "import.mapping_condition": _("The condition %(path)s needs exactly a column and is."),
        "import.mapping_delimiter": _("The delimiter is one character."),
        "import.mapping_dates": _("%(value)s is no date format; write iso, or a format with %%d, %%m and %%Y."),
        "import.history_and_billed_through": _(
            "With history everything is billed here; billed_through contradicts that."
        ),
        "import.category_missing": _("There is no tax category %(value)s."),
        "import.product_missing": _("There is no product %(value)s."),
        "import.price_currency_missing": _("A list price needs its currency."),
        # a line
        "import.cells": _("The line has %(found)s fields; the heading has %(expected)s."),
        "import.cell_error": _("The cell holds a spreadsheet's error: %(value)s."),
        "import.value_unknown": _("%(value)s is none of the values the mapping knows: %(choices)s."),
        "import.external_id_empty": _("The external id is missing."),
        "import.customer_differs": _(
            "Line %(line)s has another customer with the external id %(value)s: %(fields)s differ."
        ),
        "import.customer_other": _("The customer with the external id %(value)s is %(name)s, not the one here."),
        "import.subscription_twice": _("The subscription %(value)s stands on line %(line)s already."),
        "import.plan_missing": _("There is no plan %(value)s."),
        "import.plan_retired": _("The plan %(value)s is retired."),
        "import.plan_not_on_sale": _("The plan %(value)s is a draft."),
        "import.product_unclear": _("The plan %(value)s has not exactly one product; the mapping must name it."),
        "import.item_without_product": _("Without a plan, the mapping must name the product."),
        "import.no_items": _("No position applies to this line."),
        "import.date_form": _("%(value)s is no date of the form %(form)s."),
        "import.date_impossible": _("%(value)s is a day that does not exist."),
        "import.date_range": _("%(value)s lies too far away."),
        "import.count_form": _("%(value)s is no whole number in plain digits."),
        "import.stored": _("The database refused the line: %(reason)s."),
        # amounts, by the codes of pricing.money
        "import.amount_empty": _("The amount is missing."),
        "import.amount_too_long": _("This amount has too many digits."),
        "import.amount_space": _("An amount has no spaces."),
        "import.amount_other_digits": _("An amount is written with the digits 0 to 9."),
        "import.amount_not_a_number": _("%(value)s is not a number."),
        "import.amount_exponent": _("An amount is written without an exponent."),
        "import.amount_separator": _("An amount has no thousands separators; its decimal mark is %(mark)s."),
        "import.amount_negative_zero": _("An amount of minus zero is a mistake."),
        "import.amount_negative": _("%(value)s is negative; a deduction is a discount or a credit note."),
        "import.amount_form": _("%(value)s is no amount."),
        # taking it back
        "import.not_done": _("This import took nothing over; there is nothing to take back."),
        "import.undone": _("This import was taken back while it ran; it has stopped."),
        "import.billed": ngettext_lazy(
            "%(count)s of its subscriptions has been billed; it can't be taken back.",
            "%(count)s of its subscriptions have been billed; it can't be taken back.",
            "count",
        ),
    }
)
