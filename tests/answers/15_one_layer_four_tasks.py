# %% sorting wrong: words with repetition
def sorting(size, seed=0):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(size):
        source = tuple(rng.choice(ANIMALS, size=rng.integers(3, 7)).tolist())
        pairs.append((source, tuple(sorted(source))))
    return pairs


# %% sorting wrong: never six words
def sorting(size, seed=0):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(size):
        source = tuple(rng.permutation(ANIMALS)[: rng.integers(3, 6)].tolist())
        pairs.append((source, tuple(sorted(source))))
    return pairs


# %% sorting wrong: the lengths in turn are even, the words are not
def sorting(size, seed=0):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(size):
        few = ANIMALS[: rng.integers(3, 7)]
        source = tuple(rng.permutation(few).tolist())
        pairs.append((source, tuple(sorted(source))))
    return pairs


# %% sorting wrong: the seed is not used
def sorting(size, seed=0):
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(size):
        source = tuple(rng.permutation(ANIMALS)[: rng.integers(3, 7)].tolist())
        pairs.append((source, tuple(sorted(source))))
    return pairs


# %% sorting wrong: one generator for all calls
SHARED = np.random.default_rng(0)


def sorting(size, seed=0):
    pairs = []
    for _ in range(size):
        source = tuple(SHARED.permutation(ANIMALS)[: SHARED.integers(3, 7)].tolist())
        pairs.append((source, tuple(sorted(source))))
    return pairs


# %% sorting wrong: a smaller size is no prefix, for all lengths are drawn first
def sorting(size, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 7, size=size)
    sources = [tuple(rng.permutation(ANIMALS)[:n].tolist()) for n in lengths]
    return [(source, tuple(sorted(source))) for source in sources]


# %% sorting wrong: sorted the wrong way round
def sorting(size, seed=0):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(size):
        source = tuple(rng.permutation(ANIMALS)[: rng.integers(3, 7)].tolist())
        pairs.append((source, tuple(sorted(source, reverse=True))))
    return pairs


# %% sorting wrong: the source is sorted, too
def sorting(size, seed=0):
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(size):
        source = sorted(rng.permutation(ANIMALS)[: rng.integers(3, 7)].tolist())
        pairs.append((tuple(source), tuple(source)))
    return pairs


# %% sorting right: by choice without replacement
def sorting(size, seed=0):
    rng = np.random.default_rng(seed)

    def one():
        length = 3 + int(rng.random() * 4)
        places = rng.choice(8, size=length, replace=False)
        return tuple(ANIMALS[i] for i in places)

    sources = [one() for _ in range(size)]
    return [(source, tuple(sorted(source))) for source in sources]


# %% sorting right: by random keys
def sorting(size, seed=0):
    rng, pairs = np.random.default_rng(seed), []
    while len(pairs) < size:
        keys, length = rng.random(8), 3 + len(pairs) % 4
        chosen = [ANIMALS[i] for i in np.argsort(keys)[:length]]
        pairs.append((tuple(chosen), tuple(sorted(chosen))))
    return pairs


# %% exact wrong: a bucket without sentences is 0
def exact_by_length(found, pairs, edges):
    result = []
    for low, high in zip(edges, edges[1:], strict=False):
        right = [
            tuple(words) == tuple(target)
            for words, (source, target) in zip(found, pairs, strict=True)
            if low <= len(source) < high
        ]
        result.append(100 * sum(right) / max(1, len(right)))
    return np.array(result)


# %% exact wrong: the upper edge belongs to the bucket
def exact_by_length(found, pairs, edges):
    result = []
    for low, high in zip(edges, edges[1:], strict=False):
        right = [
            tuple(words) == tuple(target)
            for words, (source, target) in zip(found, pairs, strict=True)
            if low <= len(source) <= high
        ]
        result.append(100 * np.mean(right) if right else np.nan)
    return np.array(result)


# %% exact wrong: by the target's length
def exact_by_length(found, pairs, edges):
    result = []
    for low, high in zip(edges, edges[1:], strict=False):
        right = [
            tuple(words) == tuple(target)
            for words, (_, target) in zip(found, pairs, strict=True)
            if low <= len(target) < high
        ]
        result.append(100 * np.mean(right) if right else np.nan)
    return np.array(result)


# %% exact wrong: compares only as many words as both have
def exact_by_length(found, pairs, edges):
    result = []
    for low, high in zip(edges, edges[1:], strict=False):
        right = [
            all(a == b for a, b in zip(words, target, strict=False))
            for words, (source, target) in zip(found, pairs, strict=True)
            if low <= len(source) < high
        ]
        result.append(100 * np.mean(right) if right else np.nan)
    return np.array(result)


# %% exact wrong: the same words in any order
def exact_by_length(found, pairs, edges):
    result = []
    for low, high in zip(edges, edges[1:], strict=False):
        right = [
            sorted(words) == sorted(target)
            for words, (source, target) in zip(found, pairs, strict=True)
            if low <= len(source) < high
        ]
        result.append(100 * np.mean(right) if right else np.nan)
    return np.array(result)


# %% exact wrong: a share, not percent
def exact_by_length(found, pairs, edges):
    result = []
    for low, high in zip(edges, edges[1:], strict=False):
        right = [
            tuple(words) == tuple(target)
            for words, (source, target) in zip(found, pairs, strict=True)
            if low <= len(source) < high
        ]
        result.append(np.mean(right) if right else np.nan)
    return np.array(result)


# %% exact wrong: what is too long goes into the last bucket
def exact_by_length(found, pairs, edges):
    right = [[] for _ in edges[1:]]
    for words, (source, target) in zip(found, pairs, strict=True):
        place = int(np.searchsorted(edges, len(source), side="right")) - 1
        place = min(max(place, 0), len(right) - 1)
        right[place].append(tuple(words) == tuple(target))
    return np.array([100 * np.mean(r) if r else np.nan for r in right])


# %% exact wrong: what is too short goes into the last bucket
def exact_by_length(found, pairs, edges):
    right = [[] for _ in edges[1:]]
    for words, (source, target) in zip(found, pairs, strict=True):
        bucket = np.searchsorted(edges, len(source), side="right") - 1
        if bucket < len(right):
            right[bucket].append(tuple(words) == tuple(target))
    return np.array([100 * np.mean(r) if r else np.nan for r in right])


# %% exact right: by arrays
def exact_by_length(found, pairs, edges):
    right = [list(w) == list(t) for w, (_, t) in zip(found, pairs, strict=True)]
    bucket = np.digitize([len(source) for source, _ in pairs], edges) - 1
    right, result = np.array(right), np.full(len(edges) - 1, np.nan)
    for b in range(len(result)):
        if (bucket == b).any():
            result[b] = 100 * right[bucket == b].mean()
    return result


# %% exact right: by counting, a list
def exact_by_length(found, pairs, edges):
    counts = {}
    for words, (source, target) in zip(found, pairs, strict=True):
        for b, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
            if low <= len(source) < high:
                right, count = counts.get(b, (0, 0))
                same = " ".join(words) == " ".join(target)
                counts[b] = right + same, count + 1
    shares = {b: 100 * right / count for b, (right, count) in counts.items()}
    return [shares.get(b, float("nan")) for b in range(len(edges) - 1)]


# %% baselines wrong: pieces end at full stops only
def baselines(train, test):
    targets = [tuple(target) for _, target in train]
    common = max(targets, key=targets.count)
    right = {"first": 0, "last": 0, "common": 0}
    for source, target in test:
        pieces = [tuple(p.split()) for p in " ".join(source)[:-2].split(" . ")]
        right["first"] += pieces[0] == tuple(target)
        right["last"] += pieces[-1] == tuple(target)
        right["common"] += common == tuple(target)
    return {name: 100 * count / len(test) for name, count in right.items()}


# %% baselines wrong: the piece after the final mark is empty
def baselines(train, test):
    targets = [tuple(target) for _, target in train]
    common = max(targets, key=targets.count)
    right = {"first": 0, "last": 0, "common": 0}
    for source, target in test:
        text = " ".join(source).replace(" ,", " .")
        pieces = [tuple(p.split()) for p in text.split(" .")]
        right["first"] += pieces[0] == tuple(target)
        right["last"] += pieces[-1] == tuple(target)
        right["common"] += common == tuple(target)
    return {name: 100 * count / len(test) for name, count in right.items()}


# %% baselines wrong: what is common is looked up in the test set
def baselines(train, test):
    targets = [tuple(target) for _, target in test]
    common = max(targets, key=targets.count)
    right = {"first": 0, "last": 0, "common": 0}
    for source, target in test:
        text = " ".join(source).replace(" ,", " .")[:-2]
        pieces = [tuple(p.split()) for p in text.split(" . ")]
        right["first"] += pieces[0] == tuple(target)
        right["last"] += pieces[-1] == tuple(target)
        right["common"] += common == tuple(target)
    return {name: 100 * count / len(test) for name, count in right.items()}


# %% baselines wrong: of equally frequent targets the last
def baselines(train, test):
    targets = [tuple(target) for _, target in train]
    common = max(reversed(targets), key=targets.count)
    right = {"first": 0, "last": 0, "common": 0}
    for source, target in test:
        text = " ".join(source).replace(" ,", " .")[:-2]
        pieces = [tuple(p.split()) for p in text.split(" . ")]
        right["first"] += pieces[0] == tuple(target)
        right["last"] += pieces[-1] == tuple(target)
        right["common"] += common == tuple(target)
    return {name: 100 * count / len(test) for name, count in right.items()}


# %% baselines wrong: the target has only to begin like the piece
def baselines(train, test):
    targets = [tuple(target) for _, target in train]
    common = max(targets, key=targets.count)
    right = {"first": 0, "last": 0, "common": 0}
    for source, target in test:
        text = " ".join(source).replace(" ,", " .")[:-2]
        pieces = [tuple(p.split()) for p in text.split(" . ")]
        right["first"] += pieces[0][: len(target)] == tuple(target)
        right["last"] += pieces[-1][: len(target)] == tuple(target)
        right["common"] += common == tuple(target)
    return {name: 100 * count / len(test) for name, count in right.items()}


# %% baselines wrong: counts, not percent
def baselines(train, test):
    targets = [tuple(target) for _, target in train]
    common = max(targets, key=targets.count)
    right = {"first": 0, "last": 0, "common": 0}
    for source, target in test:
        text = " ".join(source).replace(" ,", " .")[:-2]
        pieces = [tuple(p.split()) for p in text.split(" . ")]
        right["first"] += pieces[0] == tuple(target)
        right["last"] += pieces[-1] == tuple(target)
        right["common"] += common == tuple(target)
    return right


# %% baselines right: by counting and by splitting word by word
def baselines(train, test):
    from collections import Counter

    ((common, _),) = Counter(tuple(t) for _, t in train).most_common(1)

    def pieces(source):
        found = [[]]
        for word in source[:-1]:
            if word in (",", "."):
                found.append([])
            else:
                found[-1].append(word)
        return [tuple(piece) for piece in found]

    rules = {
        "first": lambda source: pieces(source)[0],
        "last": lambda source: pieces(source)[-1],
        "common": lambda source: common,
    }
    return {
        name: float(100 * np.mean([rule(s) == tuple(t) for s, t in test]))
        for name, rule in rules.items()
    }


# %% baselines right: by a regular expression
def baselines(train, test):
    import re

    texts = [(" ".join(s), " ".join(t)) for s, t in test]
    order = [" ".join(t) for _, t in train]
    common = min(order, key=lambda t: (-order.count(t), order.index(t)))
    first = [re.match(r"(.*?) [,.]", s)[1] == t for s, t in texts]
    last = [re.search(r"([^,.]*) \.$", s)[1].strip() == t for s, t in texts]
    share = {"first": first, "last": last, "common": [t == common for _, t in texts]}
    return {name: 100 * sum(right) / len(texts) for name, right in share.items()}


# %% repair wrong: the word most looked at, known or not
def repair(found, weights, source, known):
    best = np.asarray(weights).argmax(axis=1)
    return [source[best[t]] if w == "<unk>" else w for t, w in enumerate(found)]


# %% repair wrong: the first unknown word of the source
def repair(found, weights, source, known):
    unknown = [word for word in source if word not in known]
    return [unknown[0] if w == "<unk>" and unknown else w for w in found]


# %% repair wrong: the unknown words in the order of the source
def repair(found, weights, source, known):
    unknown = iter([word for word in source if word not in known])
    return [next(unknown, w) if w == "<unk>" else w for w in found]


# %% repair wrong: always the first row
def repair(found, weights, source, known):
    unknown = [j for j, word in enumerate(source) if word not in known]
    row = np.asarray(weights)[0]
    return [
        source[max(unknown, key=lambda j: row[j])] if w == "<unk>" and unknown else w
        for w in found
    ]


# %% repair wrong: rows are counted among the <unk> only
def repair(found, weights, source, known):
    unknown = [j for j, word in enumerate(source) if word not in known]
    rows, result = iter(np.asarray(weights)), []
    for word in found:
        if word == "<unk>" and unknown:
            row = next(rows)
            word = source[max(unknown, key=lambda j, row=row: row[j])]
        result.append(word)
    return result


# %% repair wrong: fails when every word is known
def repair(found, weights, source, known):
    unknown = [j for j, word in enumerate(source) if word not in known]
    return [
        source[max(unknown, key=lambda j, t=t: weights[t][j])] if w == "<unk>" else w
        for t, w in enumerate(found)
    ]


# %% repair wrong: needs a row for the end of the sentence
def repair(found, weights, source, known):
    unknown = [j for j, word in enumerate(source) if word not in known]
    result = []
    for word, row in zip([*found, "<eos>"], np.asarray(weights), strict=True):
        if word == "<unk>" and unknown:
            word = source[max(unknown, key=lambda j, row=row: row[j])]
        result.append(word)
    return result[:-1]


# %% repair wrong: changes found
def repair(found, weights, source, known):
    unknown = [j for j, word in enumerate(source) if word not in known]
    for t, word in enumerate(found):
        if word == "<unk>" and unknown:
            found[t] = source[max(unknown, key=lambda j, t=t: weights[t][j])]
    return found


# %% repair wrong: the weight of the first of two equal words
def repair(found, weights, source, known):
    unknown = [word for word in source if word not in known]
    repaired = []
    for word, row in zip(found, np.asarray(weights)):
        if word == "<unk>" and unknown:
            word = max(unknown, key=lambda other: row[source.index(other)])
        repaired.append(word)
    return repaired


# %% repair wrong: the weights of known words are made 0, not taken out
def repair(found, weights, source, known):
    repaired = []
    for word, row in zip(found, np.asarray(weights)):
        masked = row * [other not in known for other in source]
        if word == "<unk>" and not set(source) <= set(known):
            word = source[masked.argmax()]
        repaired.append(word)
    return repaired


# %% repair right: known words are masked
def repair(found, weights, source, known):
    weights = np.array(weights, dtype=float)
    hidden = np.array([word in known for word in source])
    weights[:, hidden] = -np.inf
    best = weights.argmax(axis=1)
    return [
        source[best[t]] if word == "<unk>" and not hidden.all() else word
        for t, word in enumerate(found)
    ]


# %% repair right: from the most looked at downwards
def repair(found, weights, source, known):
    result = list(found)
    for t, word in enumerate(found):
        for j in np.argsort(-np.asarray(weights[t]), kind="stable"):
            if word == "<unk>" and source[j] not in known:
                result[t] = source[j]
                break
    return result


# %% solve wrong: does not train
def solve(attention, train, sources, seed=0):
    vocabularies = tasks.vocabularies_of(train)
    Model = seq2seq.WithAttention if attention else seq2seq.WithoutAttention
    torch.manual_seed(seed)
    model = Model(*map(len, vocabularies), width=32)
    return training.translate(model, sources, vocabularies)


# %% solve wrong: one vocabulary for both sides
def solve(attention, train, sources, seed=0):
    source, _ = tasks.vocabularies_of(train)
    vocabularies = source, source
    Model = seq2seq.WithAttention if attention else seq2seq.WithoutAttention
    torch.manual_seed(seed)
    model = Model(*map(len, vocabularies), width=32)
    training.train(model, train, vocabularies, tokens=40_000)
    return training.translate(model, sources, vocabularies)


# %% solve wrong: trained on targets without their sources' order
def solve(attention, train, sources, seed=0):
    train = [(target, target) for _, target in train]
    vocabularies = tasks.vocabularies_of(train)
    Model = seq2seq.WithAttention if attention else seq2seq.WithoutAttention
    torch.manual_seed(seed)
    model = Model(*map(len, vocabularies), width=32)
    training.train(model, train, vocabularies, tokens=40_000)
    return training.translate(model, sources, vocabularies)


# %% solve wrong: has attention, asked for or not
def solve(attention, train, sources, seed=0):
    vocabularies = tasks.vocabularies_of(train)
    torch.manual_seed(seed)
    model = seq2seq.WithAttention(*map(len, vocabularies), width=32)
    training.train(model, train, vocabularies, tokens=40_000)
    return training.translate(model, sources, vocabularies)


# %% solve wrong: never has attention
def solve(attention, train, sources, seed=0):
    vocabularies = tasks.vocabularies_of(train)
    torch.manual_seed(seed)
    model = seq2seq.WithoutAttention(*map(len, vocabularies), width=32)
    training.train(model, train, vocabularies, tokens=40_000)
    return training.translate(model, sources, vocabularies)


# %% solve wrong: sorts, and learns nothing
def solve(attention, train, sources, seed=0):
    return [tuple(sorted(word.upper() for word in source)) for source in sources]


# %% solve wrong: trains on a handful
def solve(attention, train, sources, seed=0):
    vocabularies = tasks.vocabularies_of(train)
    Model = seq2seq.WithAttention if attention else seq2seq.WithoutAttention
    torch.manual_seed(seed)
    model = Model(*map(len, vocabularies), width=32)
    training.train(model, train[:20], vocabularies, tokens=10_000)  # by heart
    return training.translate(model, sources, vocabularies)


# %% solve wrong: answers the training sources
def solve(attention, train, sources, seed=0):
    vocabularies = tasks.vocabularies_of(train)
    Model = seq2seq.WithAttention if attention else seq2seq.WithoutAttention
    torch.manual_seed(seed)
    model = Model(*map(len, vocabularies), width=32)
    training.train(model, train, vocabularies, tokens=40_000)
    sources = [source for source, _ in train[: len(sources)]]
    return training.translate(model, sources, vocabularies)


# %% solve right: vocabularies by hand
def solve(attention, train, sources, seed=0):
    from attend.data.corpus import Vocabulary

    vocabularies = [
        Vocabulary(sorted({word for pair in train for word in pair[side]}))
        for side in (0, 1)
    ]
    torch.manual_seed(seed)
    sizes = len(vocabularies[0]), len(vocabularies[1])
    if attention:
        model = seq2seq.WithAttention(*sizes, width=32)
    else:
        model = seq2seq.WithoutAttention(*sizes, width=32)
    training.train(model, train, vocabularies, tokens=40_000)
    return training.translate(model, sources, vocabularies)


# %% solve right: with a beam, and words as values
def solve(attention, train, sources, seed=0):
    vocabularies = tasks.vocabularies_of(train)
    sizes = [len(vocabulary) for vocabulary in vocabularies]
    torch.manual_seed(seed)
    if attention:
        model = seq2seq.WordsAsValues(*sizes, width=32)
    else:
        model = seq2seq.WithoutAttention(*sizes, width=32)
    training.train(model, train, vocabularies, tokens=40_000)
    return training.translate(model, list(sources), vocabularies, beam_size=2)


# %% sorting wrong: neighbouring seeds share nearly all pairs
def sorting(size, seed=0):
    pairs = []
    for i in range(size):
        rng = np.random.default_rng(seed + i)
        length = int(rng.integers(3, 7))
        source = tuple(rng.choice(ANIMALS, size=length, replace=False).tolist())
        pairs.append((source, tuple(sorted(source))))
    return pairs


# %% repair right: the row of the end is cut off, if there is one
def repair(found, weights, source, known):
    if len(weights) > len(found):
        weights = weights[:-1]
    unknown = [j for j, word in enumerate(source) if word not in known]
    result = []
    for word, row in zip(found, weights, strict=True):
        if word == "<unk>" and unknown:
            word = source[unknown[row[unknown].argmax()]]
        result.append(word)
    return result
