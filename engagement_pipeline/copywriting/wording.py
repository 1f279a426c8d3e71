"""The words and signs by which the validator knows a claim that no brief supports; data, not behaviour.

Written for American English. Each pattern stands for one rule, most for one code of their own.
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
MARKUP = re.compile(r"[<>]|&#?\w+;|=\?|\*\*|__|`|^#+ ")
PERCENTAGE = re.compile(
    r"\d*[.,]?\d*\s?[%‰]|\b(?:\w+ )?per\s?cent(?:age)?s?\b|\bhalf[ -](?:off|(?:the )?price)\b", _WORDS
)
CURRENCY = re.compile(
    r"[$€£¥₹¢₩₽₺₫₴₱₪₦]\s?\d*(?:[.,]\d+)*"
    r"|\b(?:\d+ ?)?(?:dollars?|cents?|bucks?|euros?|pounds?|quid|yen|rupees?|pesos?|usd|eur|gbp|cad|aud|jpy|chf)\b",
    _WORDS,
)
POSTAL_ADDRESS = re.compile(
    r"\b\d{1,6}[a-z]? (?:[NSEW]\.? )?(?:[\w'’]+ ){1,3}"
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|square|terrace)\b"
    r"|\bp\.? ?o\.? box(?: \d+)?",
    _WORDS,
)
PHONE_NUMBER = re.compile(
    r"(?=\+?(?:[ ().\u2010-\u2013/-]{0,3}\d){7})\+?\(?\d{1,4}\)?(?:[ .\u2010-\u2013/-]{1,2}\(?\d{2,4}\)?){1,4}"
    r"|\+\d{7,}"
)
LONG_NUMBER = re.compile(r"\d{5,}")
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
    r"|exclusive offers?|lower prices?|price drops?|save|savings?|giveaway|win a|guarantee[ds]?|refunds?|money[ -]back"
    r"|no (?:extra )?(?:costs?|charge)|cheap(?:er|est)?|(?:best|lowest) prices?)\b"
    r"|(?<!feel )\bfree\b",
    _WORDS,
)
URGENCY = re.compile(
    r"\b(?:hurry|last chance|final (?:chance|call|hours?|days?)|limited[ -](?:time|edition|offer|stock)"
    r"|act (?:now|fast)|only (?:today|until|a few|this week)|(?:today|tonight|this week|now) only"
    r"|end(?:s|ing)? (?:soon|today|tonight|tomorrow|this|at|on)|expires?|expiring"
    r"|while (?:supplies|stocks?|they) lasts?|(?:selling|going) (?:out|fast)"
    r"|almost (?:gone|sold out)|sold out|running out|runs out|(?:don['’]t|do not) (?:miss|wait|delay)"
    r"|before (?:it['’]s|it is|they['’]re) (?:gone|too late)|urgent(?:ly)?|deadline|countdown|now or never"
    r"|right away|immediately|as soon as possible|asap|time is (?:short|running)|(?:back )?in stock"
    r"|(?:until|till|by|before) (?:the end of|midnight|tonight|tomorrow|(?:(?:this|next) )?(?:week(?:end)?"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|May|June|July|August"
    r"|September|October|November|December)))\b",
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
    r"[®©]|\b[a-z]+[A-Z]\w*"
    r"|(?<=[a-z,;:)’'–—-] )"
    r"(?!(?:I|English|American|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|January|February|March|April"
    r"|May|June|July|August|September|October|November|December)\b)[A-Z][\w’'-]*"
)

# Between them they make up a third or more of English prose.
FUNCTION_WORD = re.compile(
    r"\b(?:a|an|the|and|or|but|so|because|if|when|what|which|who|that|this|these|those|it|its|is|are|was|be|been|has|have"
    r"|had|do|does|you|your|we|our|us|I|to|of|in|on|at|for|from|with|without|as|by|about|into|than|not|no|one|once|there"
    r"|here|how|more|most|all|any|some|just|can|could|would|will)\b",
    _WORDS,
)

# The small words of English's neighbours that are no English words, and how they greet.
FOREIGN_WORD = re.compile(
    r"\b(?:el|los|las|una|del|por|para|que|está|más|muy|tu|tus|su|nuestr[oa]s?|hola|gracias|le|les|des|du|une|est|vous"
    r"|nous|votre|vos|nos|avec|pour|bonjour|merci|der|das|und|ist|nicht|ein|eine|einen|mit|für|wir|ihr|ihre|sie|hallo"
    r"|danke|il|gli|della|sono|per|tuo|tua|ciao|grazie|não|você|uma|seu|sua|olá|obrigado|het|een|van|voor|niet|wij"
    r"|jouw)\b",
    _WORDS,
)

# A user's own words that are more than the name of an interest: numbers, orders to a machine, offers, whole sentences.
SUSPICIOUS_LABEL = re.compile(
    r"\d|\b(?:ignore|disregard|forget|override|instructions?|prompts?|system|assistant|pretend|reply|respond|answer"
    r"|write|say|tell|print|output|must|always|never|offers?|discounts?|free|sale|percent|codes?|https?|www|com|script"
    r"|template|user|name|email|bcc|subject)\b|(?:\S+ ){3}\S",
    _WORDS,
)

# Said to a machine and not to a client; in a catalogue, which others may have a hand in, it is a mistake or an attack.
INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)(?: \w+)? (?:all|any|every|everything|the|this|that|previous|prior|above"
    r"|your|rules)\b|\binstructions?\b|\bprompts?\b|\b(?:system|assistant|developer) ?(?:message|mode|role|:)"
    r"|\byou are (?:now|an?)\b|\bas an ai\b|\b(?:reply|respond|answer) (?:only|with|in|as)\b"
    r"|\b(?:reveal|repeat|print|output) (?:the|your|all)\b",
    _WORDS,
)

# Words by which an offer grows beyond itself.
SWEEPING = re.compile(
    r"\b(?:everything|anything|all|any|every|each|entire|whole|(?:site|store)[ -]?wide|always)\b"
    r"|\b(?:order|purchase)(?=s?\b)",
    _WORDS,
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
