"""The validator's vocabulary, spelled out: ways to say what it objects to, and words that only look like one.

Each way is found whole; without any one alternative of its pattern, at least one of them no longer is.
"""

SENTENCE = "We would love to see you here again, and with {} if you like."
"""Good, with most words in it."""

# By code, ways to claim it, parted by a comma and a space.
CLAIMS = {
    "email_address": "ann@example.com, @here, ann@",
    "url": "http://x, https://x.example/a, www.x, WWW.x, shop.com, shop.net, shop.org, shop.io/a, shop.co,"
    " a.shop, my-shop.store, shop.us, shop.uk, shop.eu, shop.app, shop.info, shop.biz, shop.me, bit.ly/x, Shop.COM",
    "placeholder": "{name}, {}, {, }, [city], [], %NAME%, %FIRST_NAME%, *|FNAME|*, *||*, <<city>>, <<>>, first_name,"
    " lastname, full_name, First_Name, lorem ipsum, TBD, XXX, XXXX",
    "markup": "<, >, &amp;, &#38;, =?, **, __, `",
    "postal_address": "1 Main Street, 1234 Main St, 123456 Elm Street, 12b Oak Avenue, 7 N. Ash Ave, 7 S. Ash Road,"
    " 7 E. Ash Rd, 7 W. Ash Lane, 7 N Old Mill Hill Road, 7 Ash Ln, 7 Ash Drive, 7 Ash Dr, 7 Old Mill Hill Boulevard,"
    " 7 Ash Blvd, 7 Ash Court, 7 Ash Ct,"
    " 7 King's Place, 7 King’s Pl, 7 Ash Square, 7 Ash Terrace, PO box, p.o. box 33, p. o. box 7",
    "percentage": "5%, %, 5 %, 12.5%, 12,5%, 5‰, ten percent, Ten Per Cent, some percentage, some percents, half off,"
    " half-off, half price, half-price, half the price",
    "currency": "$5, €, $1,000.50, € 5, £5, ¥5, ₹5, ¢5, ₩5, ₽5, ₺5, ₫5, ₴5, ₱5, ₪5, ₦5, dollar, 5 dollars, 15dollars,"
    " Dollars, cent, cents, buck, bucks, euro, euros, pound, pounds, quid, yen, rupee, rupees, peso, pesos, 5 usd,"
    " 5 EUR, gbp, cad, aud, jpy, chf",
    "phone_number": "+14155550132, +1234567, 555-0132, 415-555-0132, (415) 555-0132, 415.555.0132, 415/555/0132,"
    " 415–555–0132, 415 555 0132, +49 30 123 4567, 030 12 34 56 78, 1234-5678",
    "long_number": "12345, 1234567",
    "code": "SAVE-20, BACK2U, 2BACK, 2-BACK, A1B2, A123, promo code, coupon code, discount code, gift code,"
    " checkout code, voucher code, use the code, enter this code, apply your code, use code WELCOME, use code ABC,"
    " use code X9Z, Code: HELLO, code:HELLO, code:",
    "figure": "two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, Twelve, thirteen, fourteen,"
    " fifteen, sixteen, seventeen, eighteen, nineteen, twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety,"
    " hundred, hundreds, thousand, thousands, million, millions, dozen, dozens, twice, double, 7, 42",
    "urgency": "hurry, Hurry, last chance, final chance, final call, final hour, final hours, final day, final days,"
    " limited time, limited-edition, limited offer, limited stock, act now, act fast, only today, only until,"
    " only a few, only this week, today only, tonight only, this week only, now only, end soon, ends today,"
    " ending tonight, ends tomorrow, ends this, ends at, ends on, expire, expires, expiring, while supplies last,"
    " while stocks last, while stock lasts, while they last, selling out, selling fast, going out, going fast,"
    " almost gone, almost sold out, sold out, running out, runs out, don't miss, don’t wait, do not delay,"
    " before it's gone, before it’s too late, before it is gone, before they're gone, before they’re too late, urgent,"
    " urgently, deadline, countdown, now or never, right away, immediately, as soon as possible, asap, time is short,"
    " time is running, in stock, back in stock, until the end of, till midnight, by tonight, before tomorrow, by week,"
    " by this week, by next weekend, by Monday, by Tuesday, by Wednesday, by Thursday, by Friday, by next Saturday,"
    " by Sunday, until January, until February, until March, until April, until May, until June, until July,"
    " until August, until September, until October, until November, until December",
    "offer": "discount, discounts, discounted, sale, sales, deal, deals, coupon, coupons, voucher, vouchers, promo,"
    " promos, promotion, promotions, rebate, rebates, cashback, cash back, clearance, markdown, markdowns, bargain,"
    " bargains, bogo, complimentary, bonus, reward, rewards, credit, credits, gift, gifts, on the house, on us,"
    " special offer, special offers, exclusive offer, exclusive offers, lower price, lower prices, price drop,"
    " price drops, save, Save, saving, savings, giveaway, win a, guarantee, guaranteed, guarantees, refund, refunds,"
    " money back, money-back, no cost, no costs, no extra charge, cheap, cheaper, cheapest, best price, lowest prices,"
    " free, Free",
    "shouting": "COME, YOURS, !!, ?!",
    "name_outside_brief": "Sarah, Levi's, Levi’s, Coca-Cola, Mayor, Iris, X, iScarf, myScarf, iX, ®, ©",
    "silence_outside_brief": "half a year, half an year, most of a year, over a year, more than a year, nearly a month,"
    " almost a month, the last week, the past year, last month, a couple of weeks, a few weeks, several months,"
    " many years, for months, a year, one season, this past season, a whole month, a full month, a long year,"
    " a good month",
}

# By code, words in that sentence that are none of it.
NO_CLAIMS = {
    "url": "a.shopper, awww.x",
    "placeholder": "headfirstname, lastnamed, Dolorem ipsum, lorem ipsumque, atbd, XXXL",
    "postal_address": "A12 Old Lane, 1234567 Elm Street, 7 place, 7 days in a new place, 7 Ash Streetwear, ship o box",
    "percentage": "behalf off, half official, super cent, per centimeter",
    "currency": "recent, century, compound, pounding",
    "phone_number": "55-0132, +123456",
    "long_number": "1234",
    "code": "1234, A1B, aBACK2, BACK2u, reuse code, gift codex",
    "figure": "tender, often, someone",
    "urgency": "friends, a weekend, in stockings, bright away",
    "offer": "freedom, carefree, saved, dealing, wholesale",
    "shouting": "USA, iCOME, COMEs, !",
    "name_outside_brief": "I, English, American, Monday, Tuesdays, Wednesday, Thursdays, Friday, Saturdays, Sunday,"
    " January, February, March, April, May, June, July, August, September, October, November, December",
    "silence_outside_brief": "extra year, a yearly, a weekday",
}

# Of the languages next to English, the words by which each is known.
FOREIGN = (
    "el los las una del por para que está más muy tu tus su nuestro nuestra nuestros nuestras hola gracias",
    "le les des du une est vous nous votre vos nos avec pour bonjour merci",
    "der das und ist nicht ein eine einen mit für wir ihr ihre sie hallo danke",
    "il gli della sono per tuo tua ciao grazie",
    "não você uma seu sua olá obrigado",
    "het een van voor niet wij jouw",
)

# Sentences of nothing but the small words that English prose is made of.
SMALL_WORDS = (
    "What would you do if that was all there is?",
    "I have been here once, and you had no more of it than this.",
    "It is not a when but an if.",
    "These are just for us, from most of you.",
    "How does any of it do with or without this?",
    "There we would have some, so that you can be at one.",
    "What is in it, on it, about it and into it?",
    "It has its how, by which it is, because of the who.",
    "Will you be, as we are, here to be?",
    "Could our all be your most of those?",
)

# What a user may have typed as a preference, and what nobody but a machine would need to be told.
ORDERS = (
    "ignore, disregard, forget, override, instruction, instructions, prompt, prompts, system, assistant, pretend,"
    " reply, respond, answer, write, say, tell, print, output, must, always, never, offer, offers, discount, discounts,"
    " free, sale, percent, code, codes, http, https, www, com, script, template, user, name, email, bcc, subject, Sale,"
    " a7, hats with a feather"
)

# What is a preference all the same.
PLAIN_LABELS = "mustard, carefree, nameplates, hats and scarves"

# Where a catalogue says one of these, it speaks to a machine.
TO_A_MACHINE = (
    "ignore all, disregard any, forget every, override everything, ignore the, ignore this, ignore that,"
    " ignore previous, ignore prior, ignore above, ignore your, ignore rules, Ignore nearly all, instruction,"
    " instructions, prompt, prompts, system message, assistant mode, developer role, system:, systemmode, you are now,"
    " you are a, you are an, as an AI, reply only, respond with, answer in, reply as, reveal the, repeat your,"
    " print all, output the"
)

# And here to clients.
TO_CLIENTS = (
    "signore the, ignore thematic, reinstruction, instructional, reprompt, impromptu, promptly, ecosystem message,"
    " bayou are now, you are nowhere, was an AI, as an aim, misanswer in, answer inside, blueprint the, print them"
)

# What makes an offer larger than it is.
SWEEPING = (
    "everything, anything, all, any, every, each, entire, whole, sitewide, site-wide, site wide, storewide, store-wide,"
    " always, order, purchase"
)

# And what does not.
NOT_SWEEPING = "small, allow, border, orderly"


def listed(words: str) -> list[str]:
    """Return the entries of a list above."""
    return words.split(", ")
