"""What this installation has files for, as the policy has to know it."""

from collections.abc import Mapping

from orderack import channels, sources
from orderack.policy.lint_connections import SourceFacts
from orderack.policy.model import ChannelFacts
from orderack.policy.traits import channel_facts
from orderack.ports import SourceKind
from orderack.sources._reading import WORDS


def installed_channels() -> Mapping[str, ChannelFacts]:
    """Every channel that has a file, configured or not."""
    return {name: channel_facts(spec.adapter.traits) for name, spec in channels.load().items()}


def installed_sources() -> Mapping[str, SourceFacts]:
    """Every system that orders come from that has a file, configured or not."""
    return {
        name: SourceFacts(
            poll_every=traits.poll_every,
            answers=traits.answer is not None,
            partners=traits.kind is SourceKind.EDI,
            senders=traits.kind is SourceKind.EMAIL,
            words=None if traits.kind in (SourceKind.FORM, SourceKind.PHONE) else WORDS,
        )
        for name, traits in ((name, spec.adapter.traits) for name, spec in sources.load().items())
    }
