"""A VLM that says what a test tells it to."""

from pipeline.models.protocols import Reply


class Scripted:
    """Gives the replies it was made with in turn, to a question asked again the same; keeps what it was asked."""

    fingerprint = "scripted"

    def __init__(self, *replies):
        self.replies, self.requests, self.schemas = list(replies), [], []
        self._given = {}

    def generate(self, requests, schema):
        self.schemas.append(schema)
        result = []
        for request in requests:
            key = (request.prompt, request.asset_ids)
            if key not in self._given:
                self.requests.append(request)
                if not self.replies:
                    continue
                self._given[key] = self.replies.pop(0)
            reply = self._given[key]
            result.append(reply if isinstance(reply, Reply) else Reply(reply, "stop"))
        return result
