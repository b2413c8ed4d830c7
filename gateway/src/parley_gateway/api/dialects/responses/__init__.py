"""OpenAI's Responses: a stored response is a turn in a chat of ours, any other is kept nowhere."""
