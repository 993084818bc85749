"""The officer's pages: who saw whom, what waits for approval, which clocks run; served as HTML, without a script, never a value."""
