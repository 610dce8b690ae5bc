"""Where episodes are played, in this process or in Ray's workers, and the ledger of them."""
