"""A generated English–Chinese corpus with gold word alignments, its words and batches.

    >>> data = splits(train=30_000, validation=1_000, test=1_000, seed=0)
    >>> english, chinese = vocabularies()
    >>> for batch in batches(data.train, english, chinese, size=32, seed=0): ...

The sentences come from the synchronous grammar of `attend.data.grammar`. Their lengths
are spread evenly over the BUCKETS by construction: a sentence is drawn from the grammar
*given* its length, with the weights that each symbol has at each length.
"""

import operator
import random
from bisect import bisect_right
from collections import Counter
from functools import cache
from typing import NamedTuple

import numpy as np

from attend.data import grammar

SHORTEST, LONGEST = 3, 40  # words of a source sentence
BUCKETS = tuple((first, first + 4) for first in range(1, LONGEST, 5))
# the lengths, as often as they are drawn: there are few sentences of three words
LENGTHS = (3, 4, 4, 5, 5, *range(6, LONGEST + 1))
PAD, BOS, EOS, UNK = range(4)
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")


class Pair(NamedTuple):
    """A sentence, its translation and its word alignment.

    `sure` and `possible` hold links (position in source, position in target), counted
    from 0, sure being a subset of possible (Och and Ney, 2003). Both are empty where no
    alignment is known.
    """

    source: tuple
    target: tuple
    sure: frozenset = frozenset()
    possible: frozenset = frozenset()


class Splits(NamedTuple):
    """Three lists of Pairs that share no source sentence."""

    train: list
    validation: list
    test: list


# The book's running example is kept out of every split, so a chapter may translate it
# as a sentence the model has never seen.
EXAMPLE = Pair(
    ("Tom", "chases", "Jerry"),
    ("汤姆", "追逐", "杰瑞"),
    frozenset({(0, 0), (1, 1), (2, 2)}),
    frozenset({(0, 0), (1, 1), (2, 2)}),
)


def bucket(length):
    """Return the index in BUCKETS of a source length: 0 for 1–5, … 7 for 36–40."""
    length = _integer("length", length, 1, LONGEST)
    return (length - 1) // 5


def generate(size, seed=0, longest=LONGEST):
    """Return a list of `size` Pairs; the same seed gives the same pairs everywhere.

    Pair k lies in bucket k modulo the number of buckets (those up to `longest` words),
    so every prefix of the list is spread evenly too, and is what a smaller size gives.
    Short sentences may repeat. Raises TypeError and ValueError for a size, seed or
    longest that is not an integer or is out of range.
    """
    size = _integer("size", size, 0)
    draw = _Draw(_integer("seed", seed, 0), longest)
    return [draw.pair(k) for k in range(size)]


def splits(train=30_000, validation=1_000, test=1_000, seed=0, longest=LONGEST):
    """Return Splits of these sizes that share no source sentence, nor the EXAMPLE.

    The test and validation sentences are all different, cover all lengths, and stay
    the same whatever the size of the training set, which is a prefix of any larger one;
    `longest` caps the training set only. Raises like `generate`, and ValueError when
    the grammar has too few different sentences for the test or validation set.
    """
    train = _integer("train", train, 0)
    sizes = [_integer("test", test, 0), _integer("validation", validation, 0)]
    seed = _integer("seed", seed, 0)
    held_out = {EXAMPLE.source}
    draw = _Draw(seed, LONGEST, stream="test")
    lists = []
    for size in sizes:
        lists.append([])
        for k in range(size):
            pair = draw.pair(k, held_out)
            held_out.add(pair.source)
            lists[-1].append(pair)
    # a stream of its own: the training set does not depend on the other two's sizes
    # but for the sentences it may not contain
    draw = _Draw(seed, longest, stream="train")
    return Splits([draw.pair(k, held_out) for k in range(train)], lists[1], lists[0])


class Vocabulary:
    """Words and their numbers: the SPECIALS come first, then `words` in their order.

    Raises ValueError for a word that comes twice or is special.
    """

    def __init__(self, words):
        self.words = (*SPECIALS, *words)
        self.index = {word: i for i, word in enumerate(self.words)}
        if len(self.index) < len(self.words):
            seen = set()
            twice = next(w for w in self.words if w in seen or seen.add(w))
            raise ValueError(f"words must differ, but {twice!r} comes twice")

    @classmethod
    def of(cls, sentences, size=None):
        """Return the vocabulary of the sentences' words, the most frequent first.

        `size` keeps that many words at most, specials not counted; ties go by the
        words' order in Unicode. Raises ValueError when there is no word.
        """
        counts = {}
        for sentence in sentences:
            for word in _words("sentence", sentence):
                counts[word] = counts.get(word, 0) + 1
        if not counts:
            raise ValueError("sentences holds no word: expected at least one sentence")
        if size is not None:
            size = _integer("size", size, 1)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(ranked[:size])

    def __len__(self):
        return len(self.words)

    def __contains__(self, word):
        return word in self.index

    def encode(self, sentence, unknown=False):
        """Return the numbers of a sentence's words, a list of ints without BOS and EOS.

        A word that is not in the vocabulary raises ValueError, or becomes UNK where
        `unknown` is True. An empty sentence raises ValueError, a str TypeError.
        """
        words = _words("sentence", sentence)
        try:
            return [self.index[word] for word in words]
        except KeyError:
            if unknown:
                return [self.index.get(word, UNK) for word in words]
            place, word = next((i, w) for i, w in enumerate(words) if w not in self)
            raise ValueError(
                f"word {place} of the sentence, {word!r}, is not among the "
                f"{len(self) - len(SPECIALS)} words of this vocabulary "
                "(unknown=True would make it <unk>)"
            ) from None

    def decode(self, numbers):
        """Return the words of a row of numbers up to EOS, without PAD and BOS."""
        words = []
        for number in numbers:
            number = _integer("a word's number", number, 0, len(self) - 1)
            if number == EOS:
                break
            if number not in (PAD, BOS):
                words.append(self.words[number])
        return words


@cache
def vocabularies():
    """Return the English and the Chinese Vocabulary of the grammar, in sorted order.

    They hold every word that `generate` may use, whatever the size and seed.
    """
    sides = zip(*_sampler().words, strict=True)
    return tuple(Vocabulary(sorted(set().union(*side))) for side in sides)


def glosses(pairs):
    """Return {target word: the source word that its sure links name most often}.

    Words without a sure link, such as Chinese measure words, are left out.
    """
    named = {}
    for pair in pairs:
        for j, i in sorted(pair.sure):
            named.setdefault(pair.target[i], Counter())[pair.source[j]] += 1
    return {word: counts.most_common(1)[0][0] for word, counts in named.items()}


class Batch(NamedTuple):
    """Pairs whose source sentences have one length S, as numbers.

    source (B, S) int64, without marks or padding; target (B, T) int64, BOS words EOS,
    then PAD; index (B,) int64, the pairs' places in the list they come from. A decoder
    reads target[:, :-1] and predicts target[:, 1:].
    """

    source: np.ndarray
    target: np.ndarray
    index: np.ndarray


def batches(pairs, source, target, size=32, seed=None, longest=LONGEST, unknown=False):
    """Return the pairs as a list of Batches of at most `size`, one source length each.

    source and target are the two Vocabularies. Without a seed, batches go from short to
    long and keep the pairs' order; with one, pairs are shuffled, those with targets of
    like length put together, so that there is little to pad, and then the batches are
    shuffled. Raises ValueError naming the pair that is empty, holds an unknown word or
    has more than `longest` source words.
    """
    check_pairs(pairs, source, target, longest, unknown)
    return [
        batch_of(pairs, places, source, target, unknown)
        for places in cuts(pairs, size, seed)
    ]


def check_pairs(pairs, source, target, longest=LONGEST, unknown=False):
    """Refuse the pairs that `batches` would, without the time that it takes."""
    longest = _integer("longest", longest, 1)
    if not len(pairs):
        raise ValueError("pairs is empty: there is nothing to put into batches")
    sides = [[pair[side] for pair in pairs] for side in (0, 1)]
    usual = all(type(s) in (tuple, list) and s for side in sides for s in side)
    if usual and max(map(len, sides[0])) <= longest:
        words = [set().union(*side) for side in sides]
        if (
            unknown
            or words[0] <= source.index.keys()
            and words[1] <= target.index.keys()
        ):
            return
    for place, pair in enumerate(pairs):  # which one is it?
        row = _encoded(place, pair, source, target, unknown)
        if len(row[0]) > longest:
            raise ValueError(
                f"pair {place} has {len(row[0])} source words, more than the limit "
                f"of {longest}: {' '.join(pair[0][:8])} …"
            )


def _encoded(place, pair, source, target, unknown):
    """Return the numbers of both sides of a pair, or name the pair."""
    try:
        return source.encode(pair[0], unknown), target.encode(pair[1], unknown)
    except (TypeError, ValueError) as error:
        raise type(error)(f"pair {place}: {error}") from None


def cuts(pairs, size=32, seed=None, mixed=False):
    """Return which pairs make the Batches of `batches`, a list of places for each.

    Where they are mixed, all lengths come together, those of the targets are not heeded
    either, and a source is padded, too.
    """
    size, by_length = _integer("size", size, 1), {}
    for place, pair in enumerate(pairs):
        by_length.setdefault(0 if mixed else len(pair[0]), []).append(place)
    rng = None if seed is None else random.Random(_integer("seed", seed, 0))
    cut = []
    for length in sorted(by_length):
        places = _shuffled(by_length[length], rng)
        if rng and not mixed:
            places.sort(key=lambda place: len(pairs[place][1]))
        cut += [places[i : i + size] for i in range(0, len(places), size)]
    return _shuffled(cut, rng)


def batch_of(pairs, places, source, target, unknown=False):
    """Return the Batch of the pairs at these places."""
    rows = [_encoded(place, pairs[place], source, target, unknown) for place in places]
    return Batch(
        pad([row[0] for row in rows]),
        pad([[BOS, *row[1], EOS] for row in rows]),
        np.array(places),
    )


def pad(rows, value=PAD):
    """Return rows of numbers as one int64 array (rows, longest row), filled with value.

    Raises ValueError when there is no row.
    """
    if not len(rows):
        raise ValueError("rows is empty: expected at least one row of numbers")
    padded = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for filled, row in zip(padded, rows, strict=True):
        filled[: len(row)] = row
    return padded


# Drawing from the grammar -------------------------------------------------------------


class _Rule:
    """One production: English and Chinese items (words, or numbers of children)."""

    def __init__(self, weight, english, chinese, key):
        slots = {item: i for i, item in enumerate(w for w in english if w[0] == "<")}
        used = sorted(item for item in chinese if item[0] == "<")
        if used != sorted(slots):
            raise ValueError(f"the sides differ: {' '.join(english + chinese)}")
        self.weight, self.key = weight, key
        self.children = [slot[1:-1].partition(".")[0] for slot in slots]
        sides = []
        for side in (english, chinese):
            items = [slots[w] if w in slots else w.partition("/")[0] for w in side]
            marks = [w.partition("/")[2] for w in side if w not in slots]
            sides.append((items, marks))
        (self.english, marks), (self.chinese, marks_too) = sides
        self.links = [
            (i, j, any(mark[digit] and other[digit] for digit in mark.keys() & other))
            for i, mark in enumerate(map(_digits, marks))
            for j, other in enumerate(map(_digits, marks_too))
            if mark.keys() & other.keys()
        ]
        self.words = len(english) - len(slots)
        self.cuts = []  # for each child but the last: words left → (weights, lengths)


def _digits(mark):
    """Read a mark as {digit: sure}: '1+23?' → {'1': True, '2': False, '3': False}."""
    parts = [part for part in mark.split("+") if part]
    return {d: "?" not in part for part in parts for d in part if d != "?"}


class _Sampler:
    """The grammar, with the weight of every symbol at every length.

    choices[symbol][n] holds the rules that can give n words, with cumulated weights:
    the inside weights of a probabilistic grammar, computed once, for all lengths.
    Plain sums and products in a fixed order, so they are the same on every machine.
    """

    def __init__(self, rules):
        self.choices, self.words, self._weights = {}, [], {}
        self._rules = {}
        for symbol, alternatives in rules.items():
            self._rules[symbol] = [_Rule(*parts) for parts in alternatives]
        self._weigh("sentence")

    def _weigh(self, symbol):
        """Return {length: weight} of a symbol, and fill in its choices."""
        if symbol in self._weights:
            return self._weights[symbol]
        rules, total = self._rules[symbol], 0.0
        for rule in rules:
            total += rule.weight
            english = {item for item in rule.english if isinstance(item, str)}
            chinese = {item for item in rule.chinese if isinstance(item, str)}
            self.words.append((english, chinese))
        choices = [([], []) for _ in range(LONGEST + 1)]
        for rule in rules:
            for length, weight in self._lengths(rule).items():
                cumulated, which = choices[length]
                before = cumulated[-1] if cumulated else 0.0
                cumulated.append(before + weight * rule.weight / total)
                which.append(rule)
        self.choices[symbol] = choices
        weights = {n: c[0][-1] for n, c in enumerate(choices) if c[0]}
        self._weights[symbol] = weights
        return weights

    def _lengths(self, rule):
        """Return {length: weight} of a rule, and fill in how its children share them.

        From the last child to the first: `rest` are the lengths of those after it.
        """
        children = [self._weigh(child) for child in rule.children]
        rest = {0: 1.0}
        for place in reversed(range(len(children))):
            sums, cuts = {}, {}
            for mine, weight in children[place].items():
                for others, more in rest.items():
                    length = mine + others
                    if length + rule.words <= LONGEST:
                        sums[length] = sums.get(length, 0.0) + weight * more
                        cumulated, lengths = cuts.setdefault(length, ([], []))
                        cumulated.append(sums[length])
                        lengths.append(mine)
            if place < len(children) - 1:
                rule.cuts.insert(0, cuts)
            rest = sums
        return {length + rule.words: weight for length, weight in rest.items()}

    def pair(self, length, rng):
        """Draw a Pair of exactly `length` source words; rng() gives floats below 1."""
        tree = None
        while tree is None:  # again where somebody or something came twice
            source = []
            tree = self._expand("sentence", length, rng, set(), source)
        target, sure, possible = [], [], []
        self._translate(tree, target, sure, possible)
        sure = frozenset(sure)
        return Pair(tuple(source), tuple(target), sure, sure.union(possible))

    def _expand(self, symbol, length, rng, used, words):
        """Draw a tree (rule, where its words stand, its children); append its words.

        A rule whose key the sentence has used is drawn again; None where that fails.
        """
        cumulated, rules = self.choices[symbol][length]
        rule = rules[bisect_right(cumulated, rng() * cumulated[-1])]
        if rule.key is not None:
            tries = 0
            while rule.key in used:
                if tries == 8:
                    return None
                rule = rules[bisect_right(cumulated, rng() * cumulated[-1])]
                tries += 1
            used.add(rule.key)
        if not rule.children:
            words.extend(rule.english)
            return rule, range(len(words) - length, len(words)), ()
        positions, children = [], []
        left, last = length - rule.words, len(rule.children) - 1
        for item in rule.english:
            if item.__class__ is str:
                positions.append(len(words))
                words.append(item)
                continue
            share = left
            if item < last:
                sums, lengths = rule.cuts[item][left]
                share = lengths[bisect_right(sums, rng() * sums[-1])]
                left -= share
            child = self._expand(rule.children[item], share, rng, used, words)
            if child is None:
                return None
            children.append(child)
        return rule, positions, children

    def _translate(self, tree, words, sure, possible):
        """Append the tree's Chinese words, and its links."""
        rule, sources, children = tree
        targets = []
        for item in rule.chinese:
            if item.__class__ is str:
                targets.append(len(words))
                words.append(item)
            else:
                self._translate(children[item], words, sure, possible)
        for i, j, is_sure in rule.links:
            (sure if is_sure else possible).append((sources[i], targets[j]))


@cache
def _sampler():
    return _Sampler(grammar.build())


class _Draw:
    """A stream of pairs that is spread evenly over the buckets up to `longest`."""

    def __init__(self, seed, longest, stream=""):
        longest = _integer("longest", longest, SHORTEST, LONGEST)
        # only random() of a generator seeded by an int or str is the same for ever
        self.rng = random.Random(f"{stream} {seed}" if stream else seed).random
        self.lengths = [
            [n for n in LENGTHS if first <= n <= min(last, longest)]
            for first, last in BUCKETS
            if first <= longest
        ]

    def pair(self, place, held_out=()):
        """Return the pair number `place`, its source not in held_out."""
        lengths = self.lengths[place % len(self.lengths)]
        for _ in range(1_000):
            length = lengths[int(self.rng() * len(lengths))]
            pair = _sampler().pair(length, self.rng)
            if pair.source not in held_out:
                return pair
        raise ValueError(
            f"no new sentence of {lengths[0]}–{lengths[-1]} words after 1,000 tries: "
            "ask for fewer test and validation sentences"
        )


# Checking and shuffling ---------------------------------------------------------------


def _integer(name, value, least, most=None):
    """Return value as an int, or say what is wrong with it."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value}")
    try:
        value = operator.index(value)
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{name} must be an integer, not {value!r} ({kind})") from None
    if value < least or (most is not None and value > most):
        limits = f"at least {least}" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} must be {limits}, not {value}")
    return value


def _words(name, sentence):
    """Return the sentence as a sequence of words, or say what is wrong with it."""
    if isinstance(sentence, str):
        raise TypeError(
            f"{name} must be a sequence of words, not one str: {sentence[:40]!r} "
            "(did you forget .split()?)"
        )
    if not len(sentence):
        raise ValueError(f"{name} is empty: expected at least one word")
    return sentence


def _shuffled(items, rng):
    """Return the items in random order (Fisher and Yates); without rng as they are."""
    items = list(items)
    if rng is not None:
        for last in range(len(items) - 1, 0, -1):
            other = int(rng.random() * (last + 1))
            items[last], items[other] = items[other], items[last]
    return items
