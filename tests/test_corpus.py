"""The generated corpus: lengths, sameness, splits, links, grammar, words, batches."""

import hashlib
import random
import re
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from attend import plot
from attend.data import corpus, grammar
from attend.data.corpus import (
    BOS,
    BUCKETS,
    EOS,
    EXAMPLE,
    PAD,
    SPECIALS,
    UNK,
    Pair,
    Vocabulary,
    batches,
    bucket,
    generate,
    pad,
    splits,
    vocabularies,
)

SIZE = 8_000
# the first 2,000 pairs of seed 0, links included, on every machine and Python
FINGERPRINT = "7955834e1fc9086c0da1fa32ec4c738b78877ed84d03005793606cf9a6079624"

PEOPLE, THINGS = grammar.rows(grammar.PEOPLE), grammar.rows(grammar.THINGS)
VERBS = grammar.rows(grammar.VERBS)
NAMES = {name for names in grammar.NAMES.values() for name in names}
ADJECTIVES = {
    entry.split()[0]
    for group in grammar.ADJECTIVES.values()
    for entry in group.split(",")
}
SINGULAR = {row[0] for row in PEOPLE + THINGS} - {"fish"}
PLURAL = {row[1] for row in PEOPLE + THINGS} - {"fish"}
THIRD = {row[1] for row in VERBS} - {"-"} | {"is", "has", "does"}
BASE = {row[0] for row in VERBS} - {row[2] for row in VERBS} | {"are", "do"}
# words that need no sure link, having no counterpart of their own
ENGLISH_FUNCTION = set("the at in of to for that who is are am was were".split())
ENGLISH_FUNCTION |= set("do does did and on it there".split())
CHINESE_FUNCTION = set("的 了 那 那些 里 在 就 把 很 一起 ， 所以 但是 然后".split())
CHINESE_FUNCTION |= {row[3] for row in PEOPLE + THINGS} | {"个"}


@pytest.fixture(scope="module")
def pairs():
    return generate(SIZE, seed=7)


def fingerprint(pairs):
    text = "\n".join(
        f"{' '.join(source)}|{' '.join(target)}|{sorted(sure)}|{sorted(possible)}"
        for source, target, sure, possible in pairs
    )
    return hashlib.sha256(text.encode()).hexdigest()


# Lengths, sameness, speed -------------------------------------------------------------


def test_lengths_are_spread_evenly_over_the_buckets(pairs):
    counts = Counter(bucket(len(pair.source)) for pair in pairs)
    assert counts == dict.fromkeys(range(8), SIZE // 8)
    lengths = Counter(len(pair.source) for pair in pairs)
    assert set(lengths) == set(range(3, 41))
    for first, last in BUCKETS[1:]:
        within = [lengths[n] for n in range(first, last + 1)]
        assert min(within) > 0.8 * SIZE / 40, "even within a bucket, too"


def test_every_prefix_is_what_a_smaller_size_gives():
    assert generate(40, seed=3) == generate(200, seed=3)[:40]
    assert generate(0) == []


def test_longest_caps_the_lengths_evenly():
    counts = Counter(len(pair.source) for pair in generate(400, longest=18))
    assert max(counts) == 18
    in_buckets = Counter((n - 1) // 5 for n in counts.elements())
    assert in_buckets == {0: 100, 1: 100, 2: 100, 3: 100}


def test_the_same_seed_gives_the_same_pairs_everywhere():
    assert fingerprint(generate(2_000, seed=0)) == FINGERPRINT
    assert generate(50, seed=1) != generate(50, seed=2)


def test_the_pairs_do_not_depend_on_the_hash_seed():
    code = (
        "from attend.data import corpus; print(corpus.generate(64, seed=5)[-1].target)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "1", "PYTHONUTF8": "1"},
        cwd=Path(grammar.__file__).parents[1],
        capture_output=True,
        check=True,
    )
    assert said.stdout.decode().strip() == str(generate(64, seed=5)[-1].target)


def test_thirty_thousand_pairs_take_seconds():
    """In units of a plain loop: 5 s where three million random numbers take 0.2 s."""

    def cpu_time(work):
        start = time.process_time()
        work()
        return time.process_time() - start

    def plain():
        rng = random.Random(0).random
        for _ in range(300_000):
            rng()

    generate(1)  # the grammar is read once
    ratios = [cpu_time(lambda: generate(3_000)) / cpu_time(plain) for _ in range(3)]
    assert min(ratios) < 25


# Splits -------------------------------------------------------------------------------


def test_no_split_shares_a_sentence_with_another():
    data = splits(train=4_000, validation=400, test=400, seed=0)
    assert [len(part) for part in data] == [4_000, 400, 400]
    sources = [{pair.source for pair in part} for part in data]
    train, validation, test = sources
    assert not (train & test or train & validation or validation & test)
    assert len(test) == len(validation) == 400, "no sentence is tested twice"
    assert not any(EXAMPLE.source in part for part in sources)
    for part in data:
        counts = Counter(bucket(len(pair.source)) for pair in part)
        assert counts == dict.fromkeys(range(8), len(part) // 8)


def test_held_out_sentences_are_kept_from_training():
    """Short sentences often come again: without the check, some would be shared."""
    data = splits(train=2_000, validation=400, test=400, seed=0)
    held_out = {pair.source for part in data[1:] for pair in part}
    drawn = corpus._Draw(0, 40, stream="train")
    careless = {drawn.pair(k).source for k in range(2_000)}
    assert careless & held_out and not held_out & {p.source for p in data.train}


def test_the_running_example_is_kept_out(monkeypatch):
    parts = splits(8, 8, 8)
    for part, pairs in enumerate(parts):
        monkeypatch.setattr(corpus, "EXAMPLE", pairs[0])
        assert pairs[0].source not in {pair.source for pair in splits(8, 8, 8)[part]}


def test_a_smaller_training_set_is_a_prefix_and_leaves_the_test_alone():
    small, large = splits(80, 40, 40, seed=2), splits(400, 40, 40, seed=2)
    assert large.train[:80] == small.train
    assert (large.validation, large.test) == (small.validation, small.test)
    assert splits(80, 40, 40, seed=3).test != small.test


def test_longest_caps_the_training_set_only():
    capped, full = splits(80, 40, 40, longest=20), splits(80, 40, 40)
    assert max(len(pair.source) for pair in capped.train) <= 20
    assert capped.validation == full.validation and capped.test == full.test
    assert max(len(pair.source) for pair in capped.test) > 35


def test_too_few_sentences_are_an_error():
    class Everything:
        def __contains__(self, source):
            return True

    with pytest.raises(ValueError, match="no new sentence of 3–5 words"):
        corpus._Draw(0, 40).pair(0, Everything())


# The alignment ------------------------------------------------------------------------


def test_links_are_in_range_and_sure_ones_possible(pairs):
    for pair in pairs:
        assert pair.sure <= pair.possible
        for i, j in pair.possible:
            assert 0 <= i < len(pair.source) and 0 <= j < len(pair.target)


def test_every_word_has_a_link_and_every_content_word_a_sure_one(pairs):
    for pair in pairs:
        for side, function in ((0, ENGLISH_FUNCTION), (1, CHINESE_FUNCTION)):
            possible = {link[side] for link in pair.possible}
            sure = {link[side] for link in pair.sure}
            for place, word in enumerate(pair[side]):
                assert place in possible, (word, pair)
                assert place in sure or word in function, (word, pair)


def test_words_linked_for_sure_mean_the_same(pairs):
    """A sure link joins a noun or name to its own translation, and to nothing else."""
    meaning = {row[n]: {row[2]} for row in THINGS for n in (0, 1)}
    meaning |= {row[0]: {row[2]} for row in PEOPLE}
    meaning |= {row[1]: {row[2], f"{row[2]}们"} for row in PEOPLE}
    meaning |= {n: {zh} for names in grammar.NAMES.values() for n, zh in names.items()}
    meaning["cup"] = meaning["cups"] = {"杯子", "杯"}
    checked = 0
    for pair in pairs:
        for i, j in pair.sure:
            if pair.source[i] in meaning:
                assert pair.target[j] in meaning[pair.source[i]], pair
                checked += 1
    assert checked > SIZE


# The grammar --------------------------------------------------------------------------


def test_a_sentence_has_one_translation(pairs):
    seen = {}
    for pair in pairs + generate(SIZE, seed=8, longest=10):
        assert seen.setdefault(pair.source, pair) == pair
        # "the fish" is one fish: its plural looks the same
        assert not re.search("那些( [大小])? 鱼", " ".join(pair.target)), pair


def test_the_running_example_is_in_the_language():
    rng = random.Random(0).random
    drawn = (corpus._sampler().pair(3, rng) for _ in range(20_000))
    assert EXAMPLE in drawn


def test_plurals_and_pasts_are_english():
    plurals = {"man": "men", "woman": "women", "child": "children", "fish": "fish"}
    for one, many, *_ in PEOPLE + THINGS:
        assert many == plurals.get(one, f"{one}s")
    pasts = (
        "eat ate eaten, drink drank, read read, write wrote, buy bought, find found "
        "found, lose lost, break broke broken, see saw, give gave, put put, go went, "
        "sleep slept, sing sang, run ran, say said"
    )
    pasts = {base: forms for base, *forms in map(str.split, pasts.split(","))}
    thirds = {"wash": "washes", "go": "goes", "have": "has"}
    for base, third, past, participle, _ in VERBS:
        regular = f"{base}d" if base.endswith("e") else f"{base}ed"
        expected = pasts.get(base, [regular, regular])
        assert third in ("-", thirds.get(base, f"{base}s"))
        assert past in ("-", expected[0])
        assert participle in ("-", expected[-1])


def test_article_fits_the_next_word(pairs):
    found = Counter()
    for pair in pairs:
        for word, following in pairwise(pair.source):
            if word in ("a", "an"):
                vowel = following[0] in "aeiou" or following == "hour"
                assert (word == "an") == vowel, pair
                found[word] += 1
    assert min(found["a"], found["an"]) > 500


def nouns_after(words, determiners):
    """Yield the noun that each of these determiners stands before."""
    for place, word in enumerate(words):
        if word in determiners:
            noun = next(w for w in words[place + 1 :] if w not in ADJECTIVES)
            if noun not in ("two", "three"):
                yield noun


def test_number_agrees_within_a_noun_phrase(pairs):
    mass = set(grammar.DRINKS) | set(grammar.DISHES)
    units = {"fish", "cups", "hours"}
    for pair in pairs:
        for noun in nouns_after(pair.source, {"two", "three", "many", "these"}):
            assert noun in PLURAL | units, (noun, pair)
        for noun in nouns_after(pair.source, {"some"}):
            assert noun in PLURAL | units | mass, (noun, pair)
        for noun in nouns_after(pair.source, {"a", "an"}):
            assert noun in SINGULAR | {"fish", "hour"}, (noun, pair)


OPENERS = set(", because when if although before after".split())


def test_verbs_agree_with_their_subject(pairs):
    checked = Counter()
    for pair in pairs:
        words = pair.source
        for place, (subject, verb) in enumerate(pairwise(words)):
            if verb == "often":
                verb = words[place + 2]
            if subject in ("I", "we", "they"):
                assert verb not in THIRD | {"was"} - {"is"} or (
                    subject == "I" and verb == "was"
                ), pair
                assert (subject, verb) not in {("I", "are"), ("I", "were")}, pair
                checked["plural"] += 1
            opens = place == 0 or words[place - 1] in OPENERS
            if subject in ("he", "she") or (subject in NAMES and opens):
                assert verb not in BASE | {"were", "have"}, pair
                checked["singular"] += 1
        # the first noun phrase, where nothing follows its noun but the verb
        if words[0] in ("the", "this", "these", "some", "many", "two", "three"):
            skip = ADJECTIVES | {"the", "this", "these", "some", "many"}
            place = next(
                i for i, w in enumerate(words) if w not in skip | {"two", "three"}
            )
            noun, verb = words[place : place + 2]
            if noun in SINGULAR and verb not in ("and", "who", "that"):
                assert verb not in BASE | {"were", "have"}, pair
                checked["noun"] += 1
            elif noun in PLURAL and verb not in ("and", "who", "that"):
                assert verb not in THIRD | {"was"}, pair
                checked["nouns"] += 1
    assert min(checked.values()) > 100 and len(checked) == 4


def test_measure_words_fit_their_nouns(pairs):
    nouns_of = {
        "个": "男孩 女孩 男人 女人 学生 孩子 苹果 鸡蛋 杯子 小时",
        "位": "老师 医生",
        "只": "狗 猫 鸟",
        "把": "钥匙 雨伞",
        "辆": "汽车 自行车",
        "杯": "茶 水",
        **{"匹": "马", "条": "鱼", "本": "书", "封": "信", "支": "笔", "顶": "帽子"},
    }
    measure = {noun: unit for unit in nouns_of for noun in nouns_of[unit].split()}
    adjectives = {
        entry.split()[1]
        for group in grammar.ADJECTIVES.values()
        for entry in group.split(",")
    }
    found = Counter()
    for pair in pairs:
        words = pair.target
        for place, word in enumerate(words):
            if word not in ("一", "两", "三", "这", "那"):
                continue
            unit, *rest = words[place + 1 :]
            if unit in ("两", "三"):  # 那 两 本 书
                continue
            assert unit in measure.values(), pair
            if rest[0] in adjectives:
                rest = rest[2:] if rest[1] == "的" else rest[1:]
            if rest[0] in measure:  # else a clause with 的 comes first
                assert unit == measure[rest[0]], pair
                found[unit] += 1
    assert set(found) == set(measure.values())


def place_of(pair, i):
    """Return where the source word i stands in the target, by its sure link."""
    return min(j for source, j in pair.sure if source == i)


def test_the_word_orders_truly_differ(pairs):
    """Clauses come before their noun, times, places and companions before the verb."""
    found = Counter()
    past = {row[2] for row in VERBS}
    for pair in pairs:
        words, target = pair.source, pair.target
        for i, word in enumerate(words):
            if word == "who":
                marks = [j for source, j in pair.possible if source == i]
                assert [target[j] for j in marks] == ["的"], pair
                assert max(marks) < place_of(pair, i - 1), pair
                found["who"] += 1
            if word == "by" and words[i + 1] not in ("bus", "train", "bike"):
                assert target[place_of(pair, i)] == "被", pair
                assert place_of(pair, i) < place_of(pair, i - 1), pair
                found["by"] += 1
        if words[-1] == "yesterday" and not {"who", "that", ","} & set(words):
            verb = next((i for i, w in enumerate(words) if w in past), None)
            if verb is not None:
                assert place_of(pair, len(words) - 1) < place_of(pair, verb), pair
                found["yesterday"] += 1
    assert min(found.values()) > 20 and len(found) == 3


def test_le_stands_where_it_may(pairs):
    for pair in pairs:
        clauses = " ".join(pair.target).split(" ， ")
        for clause in clauses:
            negated = clause.split(" 没有 ")
            assert len(negated) == 1 or " 了" not in negated[1], pair
            assert " 了 的 时候" not in clause, pair
            assert " 了 了" not in clause, pair
            if " 会 " in clause or " 想 " in clause:
                word = " 会 " if " 会 " in clause else " 想 "
                assert not clause.endswith(" 了"), (word, pair)


def test_a_frame_has_both_of_its_halves(pairs):
    halves = {"because": "因为", "although": "虽然", "if": "如果", "when": "时候"}
    halves |= {"before": "之前", "after": "之后"}
    for pair in pairs:
        for english, chinese in halves.items():
            assert pair.source.count(english) == pair.target.count(chinese), pair
        assert pair.target.count("因为") <= pair.target.count("所以"), pair
        assert pair.target.count("虽然") <= pair.target.count("但是"), pair


def test_nobody_meets_himself(pairs):
    for pair in pairs:
        counts = Counter(word for word in pair.source if word in NAMES)
        assert not counts or max(counts.values()) == 1, pair


def test_no_symbol_is_missing_and_both_sides_have_the_same_children():
    rules = grammar.build()
    for symbol, alternatives in rules.items():
        for weight, english, chinese, _ in alternatives:
            assert weight > 0, symbol
            children = sorted(word for word in english if word[0] == "<")
            assert children == sorted(word for word in chinese if word[0] == "<")
            for child in children:
                assert child[1:-1].partition(".")[0] in rules, (symbol, child)


# Words --------------------------------------------------------------------------------


def test_vocabularies_hold_the_words_that_occur_and_no_others(pairs):
    english, chinese = vocabularies()
    for side, vocabulary in enumerate((english, chinese)):
        words = vocabulary.words[len(SPECIALS) :]
        assert 100 <= len(words) <= 250
        assert list(words) == sorted(words)
        occurring = {word for pair in pairs for word in pair[side]}
        assert occurring == set(words)


def test_encode_and_decode_are_inverse(pairs):
    english, chinese = vocabularies()
    for pair in pairs[:200]:
        numbers = english.encode(pair.source)
        assert min(numbers) >= len(SPECIALS) and max(numbers) < len(english)
        assert tuple(english.decode(numbers)) == pair.source
        row = [BOS, *chinese.encode(pair.target), EOS, PAD, PAD]
        assert tuple(chinese.decode(np.array(row))) == pair.target
    assert "Tom" in english and "汤姆" not in english


def test_specials_come_first():
    vocabulary = Vocabulary(["b", "a"])
    assert vocabulary.words == ("<pad>", "<bos>", "<eos>", "<unk>", "b", "a")
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3) and len(vocabulary) == 6


def test_an_unknown_word_is_named_or_becomes_unk():
    english, _ = vocabularies()
    with pytest.raises(ValueError, match="word 2 of the sentence, 'Berlin'"):
        english.encode(["Tom", "likes", "Berlin"])
    numbers = english.encode(["Tom", "likes", "Berlin"], unknown=True)
    assert numbers[2] == UNK and UNK not in numbers[:2]
    assert english.decode(numbers) == ["Tom", "likes", "<unk>"]


def test_a_vocabulary_is_read_off_sentences():
    sentences = [["b", "a"], ["b", "c"], ["c", "d"]]
    assert Vocabulary.of(sentences).words[4:] == ("b", "c", "a", "d")
    assert Vocabulary.of(sentences, size=2).words[4:] == ("b", "c")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda v: v.encode([]), ValueError, "sentence is empty"),
        (lambda v: v.encode("Tom"), TypeError, "not one str: 'Tom'"),
        (lambda v: v.decode([4, 5_000]), ValueError, "0 to .*, not 5000"),
        (lambda v: v.decode([4.5]), TypeError, "must be an integer, not 4.5"),
        (lambda v: Vocabulary(["a", "b", "a"]), ValueError, "'a' comes twice"),
        (lambda v: Vocabulary(["<eos>"]), ValueError, "'<eos>' comes twice"),
        (lambda v: Vocabulary.of([]), ValueError, "holds no word"),
        (lambda v: Vocabulary.of([["a"]], size=0), ValueError, "size must be at"),
    ],
)
def test_bad_words_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(vocabularies()[0])


# Batches ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, 0])
def test_batches_hold_every_pair_once(pairs, seed):
    few = pairs[:1_000]
    english, chinese = vocabularies()
    places = []
    for batch in batches(few, english, chinese, size=32, seed=seed):
        rows = len(batch.index)
        assert 1 <= rows <= 32 and len(batch.source) == len(batch.target) == rows
        assert {array.dtype for array in batch} == {np.dtype(np.int64)}
        assert PAD not in batch.source and EOS not in batch.source
        longest = max(len(few[place].target) for place in batch.index)
        assert batch.target.shape[1] == longest + 2
        for source, target, place in zip(*batch, strict=True):
            assert tuple(english.decode(source)) == few[place].source
            assert tuple(chinese.decode(target)) == few[place].target
            assert target[0] == BOS
            end = len(few[place].target) + 1
            assert target[end] == EOS and not target[end + 1 :].any()
        places += batch.index.tolist()
    assert sorted(places) == list(range(1_000))


def test_batches_without_a_seed_go_from_short_to_long_and_with_one_are_mixed(pairs):
    few, words = pairs[:400], vocabularies()
    lengths = [batch.source.shape[1] for batch in batches(few, *words, size=8)]
    assert lengths == sorted(lengths)
    one, same, other = (batches(few, *words, size=8, seed=s) for s in (1, 1, 2))
    assert [b.index.tolist() for b in one] == [b.index.tolist() for b in same]
    assert [b.index.tolist() for b in one] != [b.index.tolist() for b in other]
    mixed = [batch.source.shape[1] for batch in one]
    assert mixed != sorted(mixed)


def test_mixed_batches_hold_little_padding(pairs):
    mixed = batches(pairs[:8_000], *vocabularies(), size=32, seed=0)
    share = np.mean(
        [(batch.target == PAD).sum() / batch.target.size for batch in mixed]
    )
    assert share < 0.04  # four times as much when targets come in any order
    firsts = [batch.index.min() for batch in mixed]
    assert firsts != sorted(firsts)


def test_batches_take_pairs_without_links_and_unknown_words():
    plain = [Pair(("Tom", "sings"), ("汤姆", "飞"))]
    (batch,) = batches(plain, *vocabularies(), unknown=True)
    assert batch.target[0, 2] == UNK


def test_pad_fills_up_to_the_longest_row():
    assert pad([[1, 2, 3], [4]]).tolist() == [[1, 2, 3], [4, 0, 0]]
    assert pad([[1], []], value=-100).tolist() == [[1], [-100]]


GOOD = Pair(("Tom", "sings"), ("汤姆", "唱歌"))


@pytest.mark.parametrize(
    ("broken", "options", "error", "message"),
    [
        ([], {}, ValueError, "pairs is empty"),
        ([GOOD, Pair((), ("汤姆",))], {}, ValueError, "pair 1: sentence is empty"),
        ([GOOD, Pair(("Tom",), ())], {}, ValueError, "pair 1: sentence is empty"),
        ([GOOD, Pair(("Max",), ("汤姆",))], {}, ValueError, "pair 1: .*'Max'"),
        ([GOOD, Pair(("Tom",), ("马克斯",))], {}, ValueError, "pair 1: .*'马克斯'"),
        ([Pair("Tom", ("汤姆",))], {}, TypeError, "pair 0: .*one str"),
        (
            [Pair(("Tom",) * 41, ("汤姆",))],
            {},
            ValueError,
            "pair 0 has 41 source words",
        ),
        ([GOOD], {"longest": 1}, ValueError, "more than the limit of 1: Tom sings"),
        ([GOOD], {"size": 0}, ValueError, "size must be at least 1, not 0"),
        ([GOOD], {"size": 2.5}, TypeError, "size must be an integer, not 2.5"),
        ([GOOD], {"seed": "x"}, TypeError, "seed must be an integer, not 'x'"),
    ],
)
def test_broken_pairs_are_named(broken, options, error, message):
    with pytest.raises(error, match=message):
        batches(broken, *vocabularies(), **options)


def test_nothing_to_pad_is_an_error():
    with pytest.raises(ValueError, match="rows is empty"):
        pad([])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: generate(-1), ValueError, "size must be at least 0, not -1"),
        (lambda: generate(1.5), TypeError, "size must be an integer, not 1.5"),
        (lambda: generate("9"), TypeError, "size must be an integer, not '9'"),
        (lambda: generate(True), TypeError, "size must be an integer, not True"),
        (lambda: generate(9, seed=None), TypeError, "seed must be an integer, not No"),
        (lambda: generate(9, seed=-1), ValueError, "seed must be at least 0, not -1"),
        (
            lambda: generate(9, longest=41),
            ValueError,
            "longest must be 3 to 40, not 41",
        ),
        (lambda: generate(9, longest=2), ValueError, "longest must be 3 to 40, not 2"),
        (lambda: splits(train=-5), ValueError, "train must be at least 0, not -5"),
        (lambda: splits(test=1.0), TypeError, "test must be an integer, not 1.0"),
        (lambda: splits(validation="x"), TypeError, "validation must be an integer"),
        (lambda: splits(9, 1, 1, longest=50), ValueError, "longest must be 3 to 40"),
        (lambda: bucket(0), ValueError, "length must be 1 to 40, not 0"),
        (lambda: bucket(41), ValueError, "length must be 1 to 40, not 41"),
    ],
)
def test_bad_numbers_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_numpy_integers_are_integers():
    assert generate(np.int64(8), seed=np.int32(0)) == generate(8)
    assert [bucket(n) for n in (1, 5, 6, np.int64(40))] == [0, 0, 1, 7]


def test_a_gloss_is_the_word_that_sure_links_name_most_often():
    pairs = [
        Pair(("a", "b"), ("甲", "乙"), frozenset({(0, 0), (1, 1)}), frozenset()),
        Pair(("c", "b"), ("甲", "丙"), frozenset({(0, 0)}), frozenset({(1, 1)})),
        Pair(("c",), ("甲",), frozenset({(0, 0)}), frozenset()),
    ]
    assert corpus.glosses(pairs) == {"甲": "c", "乙": "b"}
    known = corpus.glosses(splits(2_000, 1, 1).train)
    assert (known["汤姆"], known["书"], known["昨天"]) == ("Tom", "book", "yesterday")


def test_a_sentence_is_shown_with_its_glosses_and_its_mistakes():
    text = plot.sentence(
        ["甲", "乙", "<b>"], {"甲": "a & o"}, ["甲", "丙", "丁", "<b>"]
    )
    plain = re.sub(r"<rt[^>]*>", "(", text.replace("</rt>", ")"))
    plain = re.sub(r"</?(ruby|span)[^>]*>", "", plain)
    assert plain == "甲(a &amp; o) <mark>[乙(·)]</mark> &lt;b&gt;(·)"
    missing = plot.sentence(["甲"], {}, ["甲", "乙"])
    assert "<mark>[…]</mark>" in missing and "mark" not in plot.sentence(["甲"], {})
