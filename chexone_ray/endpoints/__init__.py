"""OpenAI-compatible endpoints: the client, its pace, and what is asked again."""
