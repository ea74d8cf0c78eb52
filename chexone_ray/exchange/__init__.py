"""Files of others: ReXrank's and ReXVQA's, and results of the original's scripts."""
