"""Parts of `chexone trace`: who is asked, what is kept, what that yields."""
