"""User agents that name a machine. A person's browser or mail program is in no row.

What a row matches is what the machine itself sends; a scanner that poses as a browser is found by its network, its
pace or the honeypot. Mail programs that load images for the person in front of them (Outlook, Thunderbird, Apple Mail
without privacy protection, Android's Dalvik and okhttp) are left out on purpose. Sources, read in November 2026:

- Apple Mail Privacy Protection: "Mozilla/5.0" and nothing else (help.socketlabs.com, identifying-apple-mpp-opens)
- Gmail's image proxy: "... (via ggpht.com GoogleImageProxy)"; its prefetch while Gmail is open: "... Edge/12.246
  Mozilla/5.0" (bird.com/blog/gmail-prefetching-images). The proxy usually fetches when the mail is opened, and that
  cannot be told from a prefetch: a machine's touch.
- Yahoo: help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html
- Microsoft: "Microsoft Office Existence Discovery" and "Protocol Discovery" probe links; BingPreview, SkypeUriPreview
  (bing.com/webmasters/help/which-crawlers-does-bing-use; learn.microsoft.com)
- Mail security: names as in senders' logs (check.live-direct-marketing.online/blog/bot-clicks-security-scanners-detect;
  Braze's notes on bot clicks: "Barracuda Sentinel (EE)", "GoogleMessages/20")
- Link previews: api.slack.com/robots, developers.facebook.com/docs/sharing/webmasters/web-crawlers,
  webmasterid.com/user-agents/social-preview-bot-user-agents; iMessage sends "facebookexternalhit/1.1 ..."
- HTTP libraries and headless browsers: their own defaults
"""

import re
from collections.abc import Mapping

from orderack.touches.touch import Reason


def _any(patterns: str) -> re.Pattern[str]:
    """One of these, separated by white space; a blank within one is `\\s`."""
    return re.compile("|".join(patterns.split()), re.IGNORECASE)


AGENTS: Mapping[Reason, re.Pattern[str]] = {
    Reason.APPLE_MAIL_PRELOAD: re.compile(r"^Mozilla/5\.0$"),
    Reason.GOOGLE_IMAGE_PROXY: re.compile(r"GoogleImageProxy|ggpht\.com|Edge/12\.246 Mozilla/5\.0$", re.IGNORECASE),
    Reason.YAHOO_IMAGE_PROXY: _any("YahooMailProxy YahooCacheSystem"),
    Reason.SAFE_LINKS: re.compile(
        r"SafeLinks|Microsoft Office (Existence|Protocol) Discovery|MS[ -]?Email[ -]?Security|URLAnalyzer",
        re.IGNORECASE,
    ),
    Reason.PROOFPOINT: _any("proofpoint urldefense"),
    Reason.MIMECAST: _any("mimecast"),
    Reason.BARRACUDA: _any("barracuda cudasvc"),
    Reason.CISCO: _any(r"cisco\s?secure\s?email ironport"),
    Reason.MAIL_SCANNER: _any(
        r"""
        messagelabs symantec trend\s?micro \btmes\b sophos(?!\s?(mobile|secure)) fortimail fireeye trellix forcepoint
        websense hornetsecurity retarus vade\s?secure avanan check\s?point(?!\s?capsule) abnormal\s?security zerofox
        urlscan virustotal google-safety safebrowsing (link|url|mail|security)[\s-]?scanner
        """
    ),
    Reason.PREVIEW_BOT: _any(
        r"""
        slackbot slack-imgproxy whatsapp/ telegrambot facebookexternalhit facebot meta-external twitterbot linkedinbot
        discordbot skypeuripreview bingpreview microsoftpreview ^viber googlemessages/ google-pagerenderer
        outlookpreview (url|link)[\s-]?preview embedly iframely
        """
    ),
    Reason.CRAWLER: _any(
        r"""
        bot\b(?<!cubot) crawl spider slurp mediapartners feedfetcher google-inspectiontool googleother ahrefs semrush
        archiver site\s?monitor uptime pingdom statuscake
        """
    ),
    Reason.HTTP_CLIENT: _any(
        r"""
        ^curl/ ^wget/ ^python python-requests aiohttp python-httpx urllib ^go-http-client ^java/ apache-httpclient
        ^axios/ node-fetch ^undici ^node$ ^got[\s(/] ^ruby ^faraday libwww-perl ^php/ guzzlehttp ^ahc/ ^lua-resty
        postmanruntime ^insomnia powershell ^reqwest amazon\scloudfront hubspot\sconnect
        """
    ),
    Reason.HEADLESS_BROWSER: _any("headlesschrome phantomjs puppeteer playwright selenium slimerjs htmlunit"),
}
"""Why it is a machine → how it calls itself."""


def reasons_of_agent(user_agent: str) -> frozenset[Reason]:
    """What this user agent gives away; empty for a browser's or a mail program's."""
    called = user_agent.strip()
    return frozenset(reason for reason, pattern in AGENTS.items() if pattern.search(called))
