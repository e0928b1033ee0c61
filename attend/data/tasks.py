"""More tasks than translation: summaries, questions, dialogues; and chapter 15's four.

    >>> train, test = split(questions(13_000, seed=0), test=1_000)
    >>> vocabularies = vocabularies_of(train + test)

A task is a list of `attend.data.corpus.Pair` without links, English on both sides,
whose source lengths are spread evenly over the corpus's BUCKETS from 11–15 to 36–40
words. So it is trained and measured like a translation, by the same code.
"""

import random
from typing import NamedTuple

from attend.data.corpus import (
    BUCKETS,
    LONGEST,
    Pair,
    Vocabulary,
    _integer,
    _words,
    splits,
)

NAMES = "Tom Jerry Anna Mary Peter Lily Ben Eva Max Nina Sam Zoe".split()


def summaries(size, seed=0, longest=LONGEST):
    """Return `size` Pairs: a small article → the clause that it calls the main news.

    The mark stands before the clause or after it; other clauses may have openings of
    their own. The same seed gives the same pairs everywhere, and a prefix of the list
    is what a smaller size gives. `longest` caps the words of a source. Sources may
    repeat (see `split`). Raises TypeError and ValueError for a number that is not an
    integer, is negative, or leaves no length.
    """
    return _pairs(_article, size, seed, longest)


def questions(size, seed=0, longest=LONGEST):
    """Return `size` Pairs: facts and a question about one of them → the answer.

    Of each person and of each thing one fact is told, so there is one answer.
    Otherwise like `summaries`.
    """
    return _pairs(_story, size, seed, longest)


def dialogues(size, seed=0, longest=LONGEST):
    """Return `size` Pairs: a guest books a table → what the waiter says next.

    He answers what the guest asked last, if anything, then asks for the first thing
    still missing (people, day, hour, name) or else repeats the booking, as the guest
    corrected it. Otherwise like `summaries`.
    """
    return _pairs(_booking, size, seed, longest)


def split(pairs, test):
    """Return two lists of pairs, training and test, that share no source.

    The test list holds the first `test` pairs with different sources; the training
    list all later pairs whose source is not among them. Raises TypeError when test is
    not an integer, and ValueError when it is below 1 or leaves no pair for training.
    """
    test = _integer("test", test, 1)
    held_out, train = {}, []
    for pair in pairs:
        if len(held_out) < test:
            held_out.setdefault(pair[0], pair)
        elif pair[0] not in held_out:
            train.append(pair)
    if not train:
        raise ValueError(
            f"test={test} leaves none of the {len(pairs)} pairs for training: they "
            f"have {len({pair[0] for pair in pairs})} different sources"
        )
    return train, list(held_out.values())


def vocabularies_of(pairs):
    """Return the Vocabulary of the pairs' sources and that of their targets.

    Raises TypeError and ValueError naming the pair with an empty side or one str.
    """
    for place, pair in enumerate(pairs):
        for side, words in zip(("source", "target"), pair[:2], strict=True):
            _words(f"the {side} of pair {place}", words)
    return tuple(Vocabulary.of([pair[side] for pair in pairs]) for side in (0, 1))


# The four tasks of chapter 15 ---------------------------------------------------------


class Task(NamedTuple):
    """Three lists of Pairs that share no source, and the two Vocabularies of all."""

    train: list
    validation: list
    test: list
    vocabularies: tuple


MOVES = {"people ?": "people", "day ?": "day", "time ?": "time", "name ?": "name"}
LONG = 25  # words of a source, at most; of a sentence to translate 12


def four(size=8_000, validation=500, test=1_000):
    """Return {name: Task} of four tasks, with about `size` pairs for training.

    "translate" a Chinese sentence into English; "shorten" an article to its main
    clause; "answer" a question with one word of the facts before it; "decide" what the
    waiter does next, ask for "people", "day", "time" or "name", or "book". The answers'
    vocabulary has one word, Ada, that no pair has.
    """
    size += validation + test
    corpus = splits(size, validation=0, test=0, longest=12).train
    asked = questions(size, longest=LONG)
    told = dialogues(size, longest=LONG)
    pairs = {
        "translate": [Pair(y, x) for x, y, *_ in corpus if len(y) <= 12],
        "shorten": summaries(size, longest=LONG),
        "answer": [pair._replace(target=pair.target[-1:]) for pair in asked],
        "decide": [pair._replace(target=(move(pair.target),)) for pair in told],
    }
    found = {}
    for name, mine in pairs.items():
        more = [(("Ada",), ("Ada",))] if name == "answer" else []
        rest, last = split(mine, test)
        train, chosen_on = split(rest, validation)
        words = vocabularies_of([*mine, *more])
        if name == "answer":  # its answers are words of the source
            words = words[0], words[0]
        found[name] = Task(train, chosen_on, last, words)
    return found


def move(reply):
    """Return what a waiter's reply, a sequence of words, asks for, or "book"."""
    return MOVES.get(" ".join(reply[-2:]), "book")


# Drawing ------------------------------------------------------------------------------


class _Draw:
    """Random choices that are the same for ever: only random() is promised to be."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, limit):
        """Return a whole number from 0 to limit − 1."""
        return int(self.random() * limit)

    def one(self, items):
        return items[self.below(len(items))]

    def some(self, items, count):
        """Return `count` different items in random order."""
        items = list(items)
        for place in range(count):
            other = place + self.below(len(items) - place)
            items[place], items[other] = items[other], items[place]
        return items[:count]


def _pairs(task, size, seed, longest):
    """Return `size` pairs of the task, each of the buckets in turn."""
    size, seed = _integer("size", size, 0), _integer("seed", seed, 0)
    longest = _integer("longest", longest, BUCKETS[2][1], LONGEST)
    buckets = [pair for pair in BUCKETS[2:] if pair[1] <= longest]
    draw, found = _Draw(f"{task.__name__} {seed}"), []
    while len(found) < size:
        source, target = (tuple(words.split()) for words in task(draw))
        first, last = buckets[len(found) % len(buckets)]
        if first <= len(source) <= last:
            found.append(Pair(source, target))
    return found


# Summaries ----------------------------------------------------------------------------

WHO = "mayor teacher doctor farmer baker painter singer driver student captain".split()
DID = {
    "opened": "school library bakery museum market station".split(),
    "closed": "school library bakery museum bridge road station".split(),
    "repaired": "clock bridge roof boat car road piano".split(),
    "painted": "door boat church bridge clock roof fence".split(),
    "sold": "boat car house piano ring bakery farm".split(),
    "found": "ring map letter dog horse key".split(),
}
LIKE = ["", "old", "small", "big", "beautiful"]
WHERE = ["near the river", "in the village", "behind the hill", "by the sea"]
WHEN = ["on Monday", "on Friday", "last night", "this morning"]
ASIDE = ["as you may know ,", "we hear that", "a reader writes that", "people say that"]
NEWS = ["above all ,", "most importantly ,", "the main news is that"]


def _article(draw):
    clauses, taken = [], set()
    for who in draw.some(WHO, 1 + draw.below(5)):
        did = draw.one(list(DID))
        what = draw.one([thing for thing in DID[did] if thing not in taken])
        taken.add(what)
        more = draw.one(["", draw.one(WHERE), draw.one(WHEN)])
        clauses.append(f"the {who} {did} the {draw.one(LIKE)} {what} {more}")
    openings = draw.some([*ASIDE, "", "", ""], len(clauses))
    sentences = [" ".join(parts) for parts in zip(openings, clauses, strict=True)]
    place = draw.below(len(clauses))
    news = clauses[place]
    after = f"{news} , and this is the main news"
    sentences[place] = draw.one([f"{draw.one(NEWS)} {news}", after])
    return " . ".join(sentences) + " .", news


# Questions ----------------------------------------------------------------------------

COLOURS = "red blue green white black yellow".split()
THINGS = "hat coat cup bag bike car".split()
CITIES = "Paris Rome Berlin London Madrid Vienna".split()
LIKED = "tea coffee soup apples fish cheese music chess".split()
WORKPLACES = "school station library hospital market bank".split()
VERBS = {"have": "has", "live": "lives", "like": "likes", "work": "works"}


def _story(draw):
    things = [f"a {colour} {thing}" for colour in COLOURS for thing in THINGS]
    said = [("have", thing) for thing in draw.some(things, 6)]
    said += [("live", f"in {city}") for city in CITIES]
    said += [("like", thing) for thing in LIKED]
    said += [("work", f"at the {place}") for place in WORKPLACES]
    count = 1 + draw.below(8)
    people, said = draw.some(NAMES, count), draw.some(said, count)
    facts = [(name, *fact) for name, fact in zip(people, said, strict=True)]
    story = " ".join(f"{name} {VERBS[verb]} {what} ." for name, verb, what in facts)
    name, verb, what = draw.one(facts)
    if draw.random() < 0.5:
        return f"{story} who {VERBS[verb]} {what} ?", name
    asked = "where" if verb in ("live", "work") else "what"
    return f"{story} {asked} does {name} {verb} ?", what


# Dialogues ----------------------------------------------------------------------------

SLOTS = {  # in the order in which the waiter asks
    "for": "two three four five six seven eight".split(),
    "on": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "at": "five six seven eight nine".split(),
    "name": NAMES,
}
ASKED = {
    "for": "for how many people ?",
    "on": "on which day ?",
    "at": "at what time ?",
    "name": "what is your name ?",
}
GREETINGS = ["", "hello .", "good evening ."]
EXTRAS = {  # what a guest may ask, and the answer
    "do you have fish ?": "yes , we do .",
    "do you have a garden ?": "no , sorry .",
    "are you open on {on} ?": "yes , we are .",
    "is it quiet at {at} ?": "yes , it is .",
    "may I bring a dog ?": "yes , please do .",
}


def _booking(draw):
    told = {slot: draw.one(SLOTS[slot]) for slot in SLOTS if draw.random() < 0.4}
    extras, final = draw.some(EXTRAS, len(EXTRAS)), {"name"}
    said = ["guest:", draw.one(GREETINGS)]
    said += [f"this is {told['name']} ."] if "name" in told else []
    said += ["I would like a table"]
    said += [f"{slot} {what}" for slot, what in told.items() if slot != "name"] + ["."]
    while True:
        open_to_change = [slot for slot in told if slot not in final]
        if open_to_change and draw.random() < 0.4:
            slot = draw.one(open_to_change)
            new = draw.one([what for what in SLOTS[slot] if what != told[slot]])
            said.append(f"sorry , not {slot} {told[slot]} but {slot} {new} .")
            told[slot] = new
            final.add(slot)
        reply = ""
        if draw.random() < 0.3:
            extra = extras.pop()
            said.append(
                extra.format(on=draw.one(SLOTS["on"]), at=draw.one(SLOTS["at"]))
            )
            reply = EXTRAS[extra]
        missing = [slot for slot in SLOTS if slot not in told]
        if not missing:
            booked = " ".join(f"{slot} {told[slot]}" for slot in ("for", "on", "at"))
            thanks = f"thank you , {told['name']} . a table {booked} ."
            return " ".join(said), f"{reply} {thanks}"
        slot, reply = missing[0], f"{reply} {ASKED[missing[0]]}"
        if draw.random() < 0.1:
            return " ".join(said), reply
        told[slot] = draw.one(SLOTS[slot])
        answer = "my name is" if slot == "name" else slot
        said.append(f"waiter: {reply} guest: {answer} {told[slot]} .")
