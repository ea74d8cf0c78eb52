"""Parts of `chexone probe`: what is asked, what is changed about it, what that tells."""
