"""The words and signs by which the validator knows a claim that no brief supports; data, not behaviour.

Written for American English. Each pattern stands for one code of `validation.py`.
"""

import re

_WORDS = re.IGNORECASE

URL = re.compile(
    r"https?:\S*|\bwww\.\S*|\b[\w-]+\.(?:com|net|org|io|co|shop|store|us|uk|eu|app|info|biz|me|ly)\b(?:/\S*)?", _WORDS
)
EMAIL_ADDRESS = re.compile(r"\S*@\S*")
PLACEHOLDER = re.compile(
    r"\{[^{}]*\}|[{}]|\[[^\]]*\]|%[A-Z_]+%|\*\|.*?\|\*|<<.*?>>"
    r"|\b(?:first|last|full)_?name\b|\blorem ipsum\b|\b(?:TBD|XXX+)\b",
    _WORDS,
)
MARKUP = re.compile(r"[<>]|&#?\w+;|\*\*|__|`|^#+ ")
PERCENTAGE = re.compile(r"\d*[.,]?\d*\s?[%‰]|\b(?:\w+ )?per\s?cent(?:age)?s?\b|\bhalf (?:off|price)\b", _WORDS)
CURRENCY = re.compile(
    r"[$€£¥₹]\s?\d*(?:[.,]\d+)*|\b(?:\d+ ?)?(?:dollars?|cents?|bucks?|euros?|usd|eur)\b",
    _WORDS,
)
CODE = re.compile(
    r"\b(?=[A-Z\d-]*\d)(?=[A-Z\d-]*[A-Z])[A-Z\d-]{4,}\b"
    r"|\b(?i:(?:promo|coupon|discount|gift|checkout|voucher|use|enter|apply)(?: the| this| your)? code\b|code:)"
    r"(?: ?[A-Z\d]{3,})?"
)
FIGURE = re.compile(
    r"\d+|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    r"|hundreds?|thousands?|millions?|dozens?|twice|double)\b",
    _WORDS,
)
OFFER = re.compile(
    r"\b(?:discount(?:s|ed)?|sales?|deals?|coupons?|vouchers?|promos?|promotions?|rebates?|cash\s?back|clearance"
    r"|markdowns?|bargains?|bogo|complimentary|bonus|rewards?|credits?|gifts?|on the house|on us|special offers?"
    r"|exclusive offers?|lower prices?|price drops?|save|savings?|giveaway|win a|guarantee[ds]?)\b"
    r"|(?<!feel )(?<!of )\bfree\b",
    _WORDS,
)
URGENCY = re.compile(
    r"\b(?:hurry|last chance|final (?:chance|call|hours?|days?)|limited[ -](?:time|edition|offer|stock)"
    r"|act (?:now|fast)|only (?:today|until|a few|this week)|(?:today|tonight|this week|now) only"
    r"|end(?:s|ing)? (?:soon|today|tonight|tomorrow|this|at|on)|expires?|expiring"
    r"|while (?:supplies|stocks?|they) lasts?|(?:selling|going) (?:out|fast)"
    r"|almost (?:gone|sold out)|sold out|running out|runs out|(?:don['’]t|do not) (?:miss|wait|delay)"
    r"|before (?:it['’]s|it is|they['’]re) (?:gone|too late)|urgent(?:ly)?|deadline|countdown|now or never"
    r"|right away|immediately|as soon as possible|asap|by midnight|time is (?:short|running)|(?:back )?in stock)\b",
    _WORDS,
)
SHOUTING = re.compile(r"\b[A-Z]{4,}\b|[!?]{2,}")

# A length of time, as in "most of a year" or "a few months".
STATED_TIME = re.compile(
    r"\b(?:half an?|most of a|over a|more than a|nearly a|almost a|the (?:last|past)|last|a couple of|a few|several"
    r"|many|for|a|one|this past)(?: (?:whole|full|long|good))? (?:week|month|season|year)s?\b",
    _WORDS,
)

# A word capitalised in the middle of a sentence, and not because it is a pronoun, a day or a month.
NAME = re.compile(
    r"(?<=[a-z,’'] )(?!(?:I|English|American|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|January|February|March|April"
    r"|May|June|July|August|September|October|November|December)\b)[A-Z][\w’'-]*"
)

# Between them they make up a third or more of English prose.
FUNCTION_WORD = re.compile(
    r"\b(?:a|an|the|and|or|but|so|because|if|when|what|which|who|that|this|these|those|it|its|is|are|was|be|been|has|have"
    r"|had|do|does|you|your|we|our|us|I|to|of|in|on|at|for|from|with|without|as|by|about|into|than|not|no|one|once|there"
    r"|here|how|more|most|all|any|some|just|can|could|would|will)\b",
    _WORDS,
)
