"""Forms are drawn with the product's own parts, whether a page says `{{ form }}` or names each field."""

from __future__ import annotations

from django.forms.renderers import TemplatesSetting


class PartsRenderer(TemplatesSetting):
    """`{{ form }}` is `parts/form.html`, `{{ field.as_field_group }}` is `parts/field.html`."""

    form_template_name = "parts/form.html"
    field_template_name = "parts/field.html"
