"""Is an answer what the table says?"""
import json
import re


class Mismatches:
    """Collects the cells that are wrong; tells them all at once."""

    def __init__(self, section):
        self.section, self.count, self.wrong, self.refusals = section, 0, [], {}

    def cell(self, action, row, column, expected, problem):
        self.count += 1
        if problem:
            self.wrong.append(f"{action:28} {row:14} {column:10} expected {expected:4} {problem}")

    def refusal(self, action, who, where, answer, *names):
        """Remembers a refusal whose text must not depend on what can't be known."""
        text = answer.body.decode()
        for name in filter(None, names):
            text = text.replace(name, "<>")
        self.refusals.setdefault((action, who), {}).setdefault((answer.status, text), []).append(where)

    def finish(self):
        for (action, who), texts in self.refusals.items():
            if len(texts) > 1:
                self.wrong.append(f"{action:28} {who}: what can't be known is refused in several ways: {texts}")
        print(f"{self.count} cells")
        assert self.count > 0
        assert not self.wrong, f"[{self.section}] {len(self.wrong)} of {self.count}:\n" + "\n".join(self.wrong[:300])


def leaks(answer, target, context=True):
    """What a refusal must not show: versions, content, the context, the id."""
    shown = answer.body.decode("utf-8", "replace")
    if answer.headers is not None:
        shown += "\n" + repr(answer.headers)
        for name in ("ETag", "Last-Modified", "Location", "Content-Location", "X-Security-Context", "Digest", "Repr-Digest",
                     "Content-Disposition", "Accept-Ranges"):
            if name in answer.headers:
                return f"the header {name} is shown"
    elif set(answer.entry["response"]) - {"status", "outcome"}:
        return f"the entry shows {sorted(answer.entry['response'])}"
    if getattr(answer, "searchset", False):
        return None  # the query stands in its self link; that nothing is in it was seen
    secrets = [target.version, target.old_version, target.id, target.content.decode()]
    if context and target.context:
        secrets.append(target.context.split("/_history")[0].split("/")[-1])
    if target.body:
        secrets.append(target.body["identifier"][0]["value"])
    for secret in filter(lambda secret: secret and len(secret) > 3, secrets):
        if secret in shown:
            return f"{secret!r} is shown in {shown[:300]!r}"
    return None


def refused(answer, status, target, context=True):
    if answer.status != status:
        return f"got {told(answer)}"
    try:
        answer.outcome()
    except (AssertionError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        return f"no proper refusal: {str(error)[:200]}"
    return None if status == 410 else leaks(answer, target, context)


def told(answer):
    text = answer.body[:700].decode("utf-8", "replace")
    said = re.search(r'"diagnostics": ?"([^"]*)', text)
    return f"{answer.status} {said.group(1) if said else text[:200]!r}"


def differing(answer, unknown):
    if answer.headers is None or unknown.headers is None:
        return ""
    first, second = ({pair for pair in one.headers.pairs if pair[0] not in ("Date", "X-Request-Id")} for one in (answer, unknown))
    return f"; headers {sorted(first - second)}, {sorted(second - first)}" if first ^ second else ""


def judge(expected, ok, check, ask, target, world, twin=None):
    """(answer, what is wrong or None). `ask` is called with the target, and with its twin for `?`."""
    answer = ask(target)
    if answer is None:
        return None, None
    if expected == "yes":
        problem = None if answer.status in ok else f"got {told(answer)}"
        return answer, problem or (check(answer, target, world) if check else None)
    if expected != "?":
        return answer, refused(answer, int(expected), target, context=False)
    other = twin or target.twin()
    return answer, as_unknown(answer, ask(other), target, other)


def as_unknown(answer, unknown, target, other):
    if answer.status < 300 and unknown.status < 300:
        return None if answer.status == unknown.status else f"got {told(answer)}; unknown is {unknown.status}"
    names = [(one.id, one.version, one.old_version or one.id) for one in (target, other)]
    if answer.comparable(*names[0]) != unknown.comparable(*names[1]):
        return f"got {told(answer)}; unknown is {told(unknown)}{differing(answer, unknown)}"
    if unknown.status < 400:
        return f"an unknown one is answered {unknown.status}"
    return refused(answer, answer.status, target)
