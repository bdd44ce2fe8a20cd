"""Words of this room's refusals: code to sentence, with named placeholders."""

from core.refusal import register

register({})
