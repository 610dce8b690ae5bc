"""stub."""
def make_media(context, records, report): return {}
