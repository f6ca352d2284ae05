"""Which mentions are moments of the video, by the words on both sides of them.

A clock is a moment unless something speaks against it; a quantity is a length unless something speaks for it.
"""

import re

from videor2.timestamps.parser import CLOSE, LIST, Mention
from videor2.timestamps.sentences import (
    HEDGES,
    OPENERS,
    STAMP_WORDS,
    TRANSPARENT,
    WINDOW,
    Left,
    Sentence,
    is_initial,
    left_of,
    previous_word,
    window,
    word_set,
)

# Words that govern a mention: what stands before it, over hedges and articles.
_CLEARLY_AT = word_set("at @ by near")
_AT = word_set("at @ from since until till til during between near starting beginning")
_PREPOSITIONS = _AT | _CLEARLY_AT | word_set("before after in on past")
_FIRST = word_set("first opening initial")
_LASTS = word_set(
    "for lasts last lasted lasting takes take took taking wait waits waited waiting every each within over another "
    "next final previous spends spent additional extra than remaining closing pause pauses"
)
_SPANS = _LASTS | word_set("ranges ranging varies vary")
_HAPPENS = word_set(
    "occurs occur occurred happens happen happened appears starts begins ends stops comes came visible seen"
)
_TIME_LABELS = word_set("time start end begin onset offset moment")
_LABELS = word_set(
    "score scoreline tally result odds ratio ratios scale proportion aspect resolution set sets leads won wins beat "
    "beats length duration runtime total pace record best clocked runs running room gate flight bus train page version "
    "figure fig fig. chapter verse verses psalm psalms surah number no no. port route lane platform apartment size utc "
    "gmt coordinates"
)
_SAYS = word_set(
    "is was are were be becomes became reads read reading shows show showing showed says said displays displayed "
    "displaying indicates indicated indicating to by of hits reaches strikes it's"
)
_STUCK = word_set("stops stopped stuck frozen set pointing down counting points")
_CHANGES = word_set("changes changed turns jumps ticks goes")
_ARTICLES = word_set("a an the this that his her their its my our whole entire full every each any first last per one")
# A capitalised word right before `3:16` is a book, a room or a flight, unless it is one of these.
_INTRODUCERS = (_PREPOSITIONS | TRANSPARENT | HEDGES | STAMP_WORDS | _SAYS) - {"mark"} | word_set(
    "scene shot clip segment event frame part option see then and or but when while where again also later through up "
    "here start end step interval window range period"
)

# What the words before a mention speak of.
_DEVICE = re.compile(
    r"\b(?:(?:stop|wrist)?watch|clocks?|timer|countdown|(?:smart|cell)?phone(?:'s)?|scoreboard|microwave|oven|alarm|"
    r"thermostat|dashboard|display|label|sign|ticket|receipt|billboard|hands|metronome)\b"
)
_TIMECODE = re.compile(
    r"\btime[ -]?(?:stamp|code)|\bvideo(?:'s)? (?:time|clock|counter)|\b(?:player|progress bar|seek bar)\b"
)
_RATIO_TALK = re.compile(
    r"\b(?:scor\w+|ratio|odds|scale|proportion\w*|mix\w*|dilut\w*|aspect|w[io]ns?|beats?|lead\w*|led|lost|tied|trail\w*|draws?|"
    r"drew|against|simplif\w+|(?:match|game|set|half|bout) (?:was |has |had )?(?:end|finish)\w*)\b|[÷=≈]"
)
_MEASURE_IS = re.compile(
    r"\b(?:score|scoreline|tally|result|odds|ratio|scale|proportion|aspect|resolution|vote|length|duration|runtime)\b"
)
_RESULT_TIME = re.compile(
    r"\b(?:(?:finish\w*|winning|record|best|marathon|race|lap|split|swim\w*|official|cook\w*|running|total|local|"
    r"current|arrival|departure) times?|(?:a|his|her|their) time)\b"
)
_FINISHES = re.compile(r"\b(?:finish\w*|complet\w+|solv\w+|ran|runs|swims|swam|record|done)\b")
_SCHEDULE = re.compile(
    r"(?:scheduled|time-?table|appointment|itinerary|invitation|on the (?:calendar|schedule)|boarding|departures?|"
    r"curfew|kick-?off|open from|opening hours)\b"
)
_DATE = re.compile(
    r"(?:\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})?|(?:mon|tues|wednes|thurs|fri|satur|sun)day),?$"
)
_LENGTH_TALK = re.compile(
    r"\b(?:wait\w*|delay|duration|last(?:s|ed|ing)|length|long|pause\w*|holds?|total|takes?|took|timer)\b"
    r"|(?:seconds|minutes|hours?) \($"
)
_FROM_DEVICE = re.compile(
    r"\bon (?:the|a|his|her|its|their) (?:\w+ )?(?:clock|watch|stopwatch|timer|phone|scoreboard), ?$"
)

# What follows a mention.
_FOOTAGE = (
    r"(?:video|clip|footage|film|movie|recording|scene|segment|sequence|song|track|match|game|lecture|episode|trailer)"
)
_OF_DAY = re.compile(
    rf"{CLOSE}\s?(?:[ap]\.?\s?m\b|o'?clock|(?:hours|hrs)\b|(?:utc|gmt|[ecp]st|cet)\b|"
    r"in\sthe\s(?:early\s)?(?:morning|afternoon|evening)|at\snight|tonight|local\stime)"
)
_OFFSET = re.compile(
    r"(?:\s?(?:seconds?|minutes?|hours?))?[\s-](?:later|earlier|ago|remaining|long|prior|"
    r"left(?=\s*[.,;)]|\s(?:on|in|to|of)\b|$)|(?:before|after|from)\s(?:the\s)?(?:end|start|beginning|finish|final)\b)"
)
_OF_GAME = re.compile(
    rf"{CLOSE}\s(?:ratio|odds|scale|aspect|scor\w+|win|victory|draw|lead|loss|defeat|pace|per|against|in\sfavou?r|"
    r"mixture|solution|dilution|model|for\sthe\s\w+\steam|in\sthe\s\w+\s(?:set|round|quarter))\b"
)
_ON_DEVICE = re.compile(
    r"\s(?:left\s)?on\s(?:the|a|his|her|its|their)\s(?:\w+\s){0,2}?"
    r"(?:clock|watch|stopwatch|timer|phone|microwave|oven|scoreboard)\b"
)
_TIMED_NOUN = re.compile(
    r"[\s-](?:long\s)?(?:video|clip|footage|film|movie|recording|song|trailer|lecture|documentary|train|bus|flight|"
    r"ferry|meeting|alarm|news|class|appointment|deadline|show|service)\b(?!\s(?:mark|frame|segment|time))"
)
_MARKED = re.compile(
    r"[\s-]?(?:(?:marks?|point|timestamps?)\b|into\b|in(?=\s*(?:$|[,.;:!?)\]—–])|"
    rf"\s(?:to\s)?(?:the|this|our)\s(?:\w+\s)?{_FOOTAGE}\b)|"
    rf"after\s(?:the\s|this\s)?{_FOOTAGE}(?:'s)?\s(?:start|begin)\w*|"
    r"(?:after|from)\sthe\s(?:very\s)?(?:start|beginning)\b)"
)
_IN_CLAUSE = re.compile(
    r"\sin\s(?:we|i|you|he|she|it|they|there|the|a|an|his|her)\s"
    r"(?!oven|microwave|fridge|freezer|water|bath|pan|pool|row|total|kitchen|sun|dark)"
)
_RELATIVE = re.compile(
    r"[\s-](?:later|before|after|afterwards?|ago|earlier|prior|long|old|apart|each|per|delay|intervals?|left|remain\w*|"
    r"away|faster|slower|longer|shorter|more|less|worth|timer|walk|drive|break|rest|wait|pause|ride|rule|"
    r"pass(?:es|ed)?|elapsed?|go(?:es)?\sby|for\s(?:each|every)|from\s(?:now|the\s(?:end|finish))|"
    r"in\s(?:total|length|duration|all|a\srow|between|advance)|off|behind|ahead|late|early|too|straight|"
    rf"to\sgo|of\s(?!(?:the\s|this\s)?{_FOOTAGE}\b))\b"
)
_BE = re.compile(r"\s(?:is|are|was|were|have|had|has)\b")
_STRETCH = re.compile(
    r"[\s-]?(?:range|window|segment|interval|portion|span|stretch|section|period|part|time\s?frame)s?\b"
)
_LABELLED = re.compile(rf"{CLOSE}\s*(?::|[-–—|→]+>?\s)")

_ONE_DIGIT = re.compile(r"[:：][0-9](?![0-9])")


def moments(s: Sentence, mentions: list[Mention], last: tuple[int, int] | None) -> list[Mention]:
    """The mentions if they are moments of the video, else none. `last`: where the moment before them stands."""
    first, end = mentions[0], mentions[-1].end
    left, tail = left_of(s, first.begin), s.low[end : min(s.end, end + WINDOW)]
    if first.kind == "clock":
        accepted = _is_clock_moment(s, first, left, tail)
    elif first.kind == "indexed":
        accepted = s.text[first.begin] != "T" and left.raw.lower() not in _ARTICLES
    elif first.kind in ("opening", "ordinal"):
        accepted = left.raw.lower() not in ("every", "each")
        if first.kind == "opening" and _names_end(s, left):
            mentions = [first._replace(start_s=first.end_s)]
    elif left.word in _FIRST:
        return _opening(s, mentions, left, tail)
    else:
        listed = last is not None and LIST.fullmatch(s.low, last[1], first.begin) is not None
        accepted = _is_quantity_moment(s, first, left, tail, listed)
        if listed and last and not accepted:
            # "at 5s and 9s" gives its preposition to both, "at 00:15, five seconds later" does not
            accepted = ":" not in s.low[last[0] : last[1]] and not _RELATIVE.match(tail)
    return mentions if accepted else []


def _opening(s: Sentence, mentions: list[Mention], left: Left, tail: str) -> list[Mention]:
    """The first 5 seconds are an interval; a "first 30-second ad" is not."""
    first = mentions[0]
    hyphenated = "-" in s.low[first.begin : first.end] and not first.is_range
    if hyphenated and tail[:1] == " " and not _STRETCH.match(tail):
        return []
    if _names_end(s, left_of(s, left.begin)):
        return mentions
    return [first._replace(start_s=0.0, begin=left.begin), *mentions[1:]]


def _names_end(s: Sentence, left: Left) -> bool:
    """Is it "after the first minute", or "the end of the first minute"?"""
    return left.word == "after" or (left.word == "of" and previous_word(s, left) == "end")


def _is_clock_moment(s: Sentence, mention: Mention, left: Left, tail: str) -> bool:
    before = window(s, mention.begin)
    if _OF_DAY.match(tail) or _OFFSET.match(tail) or _SCHEDULE.search(before) or _SCHEDULE.search(tail):
        return False
    placed = (left.hedged or left.word in _CLEARLY_AT) and not _RATIO_TALK.search(before)
    if not placed and _ONE_DIGIT.search(s.low, mention.begin, mention.end):  # 3:2 is a score first of all
        return False
    previous = previous_word(s, left)
    if left.word in _PREPOSITIONS:
        return not _is_other_clock(s, left, previous, before)
    if left.word == "of" and previous in TRANSPARENT:  # "at the time of 17:10"
        return _RESULT_TIME.search(before) is None
    return not (
        _is_measure(mention, left, previous, before, tail)
        or _is_attribute(mention, left, tail)
        or (s.low[mention.begin] != "0" and ((left.word and _RATIO_TALK.search(before)) or _is_name(left.raw)))
        or _DATE.search(left.raw.lower())
        or _ON_DEVICE.match(tail)
        or _FROM_DEVICE.search(before)
    )


def _is_other_clock(s: Sentence, left: Left, previous: str, before: str) -> bool:
    """Is a clock with a preposition another clock's: "the timer stops at 00:07", "finished the race in 2:05:30"?"""
    if previous in _STUCK or (left.word == "from" and previous in _CHANGES):
        return _DEVICE.search(before) is not None and not _TIMECODE.search(before)
    if left.word == "by":
        return previous in _LABELS
    return left.word == "in" and not is_initial(s, left) and _FINISHES.search(before) is not None


def _is_measure(mention: Mention, left: Left, previous: str, before: str, tail: str) -> bool:
    """Does the clock give a score, a length, a name or what some device shows?"""
    if left.word in _LABELS or (left.word in _LASTS and not mention.is_range) or _OF_GAME.match(tail):
        return True
    if left.word == "time":
        return _RESULT_TIME.search(before) is not None
    if left.word not in _SAYS or _TIMECODE.search(before):
        return False
    if left.word == "it's" or (previous == "it" and left.word in ("is", "was")):
        return True
    if left.word == "of" and previous in _LABELS:
        return True
    return any(talk.search(before) for talk in (_DEVICE, _MEASURE_IS, _RESULT_TIME))


def _is_attribute(mention: Mention, left: Left, tail: str) -> bool:
    """Is it a length or a time of day that names a thing: "the 7:30 train", "a 03:45 video"?"""
    return not mention.is_range and left.raw.lower() in _ARTICLES and _TIMED_NOUN.match(tail) is not None


def _is_name(word: str) -> bool:
    word = word.lstrip(OPENERS)
    return (
        len(word) > 1
        and word[0].isupper()
        and word.isalpha()
        and not word.endswith("ing")
        and word.lower() not in _INTRODUCERS
    )


def _is_quantity_moment(s: Sentence, mention: Mention, left: Left, tail: str, listed: bool) -> bool:
    """`listed`: right behind another mention, where a hedge is no sign ("from 00:10 to 00:20, about 10 seconds")."""
    if left.word in _LASTS or (left.word in _PREPOSITIONS and previous_word(s, left) in _SPANS):
        return False
    if mention.bracketed or _MARKED.match(tail) or (left.word == "" and _IN_CLAUSE.match(tail)):
        return True
    if _RELATIVE.match(tail) or _STRETCH.match(tail):
        return mention.is_range and not _RELATIVE.match(tail)
    opener, closer = s.low[mention.begin - 1 : mention.begin], tail[:1]
    if opener in ("(", "[", "<") and closer in (")", "]", ">"):
        return closer != ")" or _LENGTH_TALK.search(window(s, mention.begin)) is None
    return _is_led_in(s, mention, left) if left.word else _is_at_clause_start(s, mention, left, tail, listed)


def _is_led_in(s: Sentence, mention: Mention, left: Left) -> bool:
    """Does the word before a quantity make it a moment: "at 5 s", "By 20 seconds", "appears around 9 s"?"""
    before = window(s, mention.begin)
    if left.word in _TIME_LABELS and before.rstrip().endswith(":"):
        return _RESULT_TIME.search(before) is None
    if left.stamped or left.word in _AT:
        return True
    if left.word in ("by", "after", "before", "on"):
        return is_initial(s, left)
    if mention.is_range:
        return mention.own_units or (left.word == "in" and is_initial(s, left))
    return left.hedged and left.word in _HAPPENS


def _is_at_clause_start(s: Sentence, mention: Mention, left: Left, tail: str, listed: bool) -> bool:
    """Is a quantity that nothing governs a moment: "5s: intro", "Around 40 seconds he falls", "3s - 5s he runs"?"""
    if left.stamped:
        return True
    if left.begin == s.begin and not tail.strip(" ."):
        return mention.is_range  # the whole sentence: "24.3 - 30.4 seconds" is an answer, "5 seconds" a length
    if left.hedged and not listed:
        return tail.strip(" .") != "" and not _BE.match(tail)
    return _LABELLED.match(tail) is not None or (mention.is_range and mention.own_units)
