"""The systems we tie to, one file each behind one interface; see `base`."""
