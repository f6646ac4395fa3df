"""Where a secret is compared: only ever by `compare_digest`, whose time says nothing of how much was right.

By structure, for no test of behaviour shows it: a comparison with == (or `in`, or a lookup by the offered value) ends
as soon as a character differs, and both say the same.
"""

import ast
import re
from collections.abc import Iterator

SECRET = re.compile(
    r"(^|_)(signature|secret|secret_value|digest|hexdigest|mac|hmac|hmac_sha256|password|authorization|sig|login|nonce"
    r"|api_key|key_header|client_id|token|expected|right|candidate|given|bare)$",
    re.MULTILINE,
)
"""Names by which this code knows what only its owner knows or can make, and what is offered as such."""
SAFE = frozenset({"compare_digest", "same"})
"""The functions that take as long whatever is offered (`same` is `orderack.clients.wire`'s)."""
NO_SECRET = {
    "spelled == signature": "how base64 is spelled; that it is genuine is proved with a public key",
    "base64.b64encode(given).decode() != signature": "the same",
    "base64.b64encode(signature).decode() != post.Signature": "the same",
    "self._tokens.get(token, (now, digest))[1] != digest": "which body a token came with, whose signature was verified",
    "row['hash'] != digest({column: columns[column] for column in COVERED})": "anybody may compute these hashes",
    "row['content_hash'] != digest(row['fact'])": "the same",
    "row['content_hash'] == digest(row['fact'])": "the same",
    "audit.sha256(str(text)) != fact[digest]": "the same",
    "party != self.client.client_id": "the name of an OpenID Connect client; the token's signature was verified",
    "token == at.token": "the next page of a list",
    "token.text in bound": "a word of a rule",
    "name in given": "the name of a field",
    "given.assessment.decision.erp != erp": "the name of an ERP",
    "(self.client_secret is None) == (self.username is None or self.private_key is None)": "whether it is set",
    "digest.version != version": "which telling of one message to an owner, called a digest",
    "col(DigestSends.digest) == col(Digests.id)": "the number of such a message",
    "col(_TOLD.id) == col(_LATER.digest)": "the same",
    "col(DigestItems.digest) == row.id": "the same",
    "col(DigestItems.digest) == digest": "the same",
    "col(DigestSends.digest) == row.id": "the same",
    "news == len(digest.items)": "how many are in it",
}
"""Comparisons that go by such a name and tell nobody a secret, and why not."""


def unsafe(source: str) -> list[str]:
    """Each comparison of a secret, with anything but a constant, other than by `compare_digest`."""
    return [text for text in by_name(source) if text not in NO_SECRET]


def by_name(source: str) -> Iterator[str]:
    """Each that goes by such a name, those of `NO_SECRET` among them."""
    if not SECRET.search(re.sub(r"\W", "\n", source.lower())):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq | ast.In) for op in node.ops):
            sides = [node.left, *node.comparators]
            if any(_secret(side) for side in sides) and not any(_constant(side) for side in sides):
                yield ast.unparse(node)


def planted(source: str) -> str:
    """The same code with every `compare_digest` made a `==`: the bug."""
    return ast.unparse(_Equals().visit(ast.parse(source)))


class _Equals(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if _name(node.func) in SAFE and len(node.args) == 2:
            return ast.Compare(left=node.args[0], ops=[ast.Eq()], comparators=[node.args[1]])
        return node


def _secret(node: ast.expr) -> bool:
    """Whether anything in it goes by such a name: a variable, a field, a call, a header."""
    names = (_name(part) for part in ast.walk(node))
    return any(SECRET.search(name) for name in names)


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lower()
        case ast.Constant(value=str(word)):
            return re.sub(r"\W", "_", word.lower())
    return ""


def _constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant | ast.Set | ast.Tuple | ast.List) or (
        isinstance(node, ast.Name | ast.Attribute) and _last(node).isupper()
    )


def _last(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr
