"""Ways money comes in, one file each; each is the only importer of its provider's package."""
