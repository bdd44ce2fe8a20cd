"""What every page is drawn with: formats by locale, words for states, charts, colours, the shell's switches.

The doors are strangers to each other, so what they share in looks lives here and in `templates/parts/`.
Nothing in this package reads a business table.
"""
