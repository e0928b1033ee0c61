# %% aer wrong: the mean over the sentences
def alignment_error(found, sure, possible):
    errors = []
    for A, S, P in zip(found, sure, possible):
        count = len(A) + len(S)
        right = len(A & S) + len(A & (P | S))
        errors.append(100 * (1 - right / count) if count else 0.0)
    return sum(errors) / len(errors)


# %% aer wrong: possible links are asked for
def alignment_error(found, sure, possible):
    right = count = 0
    for A, S, P in zip(found, sure, possible):
        right += 2 * len(A & (P | S))
        count += len(A) + len(P | S)
    return 100 * (1 - right / count) if count else 0.0


# %% aer wrong: possible links are errors
def alignment_error(found, sure, possible):
    right = count = 0
    for A, S, _ in zip(found, sure, possible):
        right += 2 * len(A & S)
        count += len(A) + len(S)
    return 100 * (1 - right / count) if count else 0.0


# %% aer wrong: sure links must be repeated among the possible ones
def alignment_error(found, sure, possible):
    right = count = 0
    for A, S, P in zip(found, sure, possible):
        right += len(A & S) + len(A & P)
        count += len(A) + len(S)
    return 100 * (1 - right / count) if count else 0.0


# %% aer wrong: a share, not percent
def alignment_error(found, sure, possible):
    right = count = 0
    for A, S, P in zip(found, sure, possible):
        right += len(A & S) + len(A & (P | S))
        count += len(A) + len(S)
    return 1 - right / count if count else 0.0


# %% aer wrong: nothing at all is a division by zero
def alignment_error(found, sure, possible):
    right = count = 0
    for A, S, P in zip(found, sure, possible):
        right += len(A & S) + len(A & (P | S))
        count += len(A) + len(S)
    return 100 * (1 - right / count)


# %% aer wrong: the arguments are changed
def alignment_error(found, sure, possible):
    right = count = 0
    for A, S, P in zip(found, sure, possible):
        P |= S
        count += len(A) + len(S)
        right += len(A & S)
        A &= P
        right += len(A)
    return 100 * (1 - right / count) if count else 0.0


# %% aer wrong: a sentence without a link found does not count
def alignment_error(found, sure, possible):
    right = count = 0
    for A, S, P in zip(found, sure, possible):
        if A:
            right += len(A & S) + len(A & (S | P))
            count += len(A) + len(S)
    return 100 - 100 * right / count if count else 0


# %% aer wrong: nothing sure is no error
def alignment_error(found, sure, possible):
    if not any(sure):
        return 0
    right = count = 0
    for A, S, P in zip(found, sure, possible):
        right += len(A & S) + len(A & (S | P))
        count += len(A) + len(S)
    return 100 - 100 * right / count


# %% aer right: one set for all sentences, each link with its sentence's number
def alignment_error(found, sure, possible):
    A, S, P = (
        {(n, *link) for n, links in enumerate(part) for link in links}
        for part in (found, sure, possible)
    )
    if not A | S:
        return 0
    right = sum((link in S) + (link in S or link in P) for link in A)
    return 100 - 100 * right / (len(A) + len(S))


# %% aer right: counts what is wrong
def alignment_error(found, sure, possible):
    wrong = count = 0
    for A, S, P in zip(found, sure, possible):
        wrong += len(A - S) + len(A - S - P)
        wrong += len(S) - len(A)
        count += len(A) + len(S)
    return 100 * wrong / max(count, 1)


# %% links wrong: one direction only
def mutual_links(weights):
    return {(int(j), i) for i, j in enumerate(weights.argmax(axis=1))}


# %% links wrong: the other direction only
def mutual_links(weights):
    return {(j, int(i)) for j, i in enumerate(weights.argmax(axis=0))}


# %% links wrong: both directions together
def mutual_links(weights):
    one = {(int(j), i) for i, j in enumerate(weights.argmax(axis=1))}
    return one | {(j, int(i)) for j, i in enumerate(weights.argmax(axis=0))}


# %% links wrong: target first
def mutual_links(weights):
    of_target, of_source = weights.argmax(axis=1), weights.argmax(axis=0)
    return {(i, int(j)) for i, j in enumerate(of_target) if of_source[j] == i}


# %% links wrong: a threshold
def mutual_links(weights):
    return {(int(j), int(i)) for i, j in np.argwhere(weights > 0.5)}


# %% links wrong: equals are all taken
def mutual_links(weights):
    best = weights == weights.max(axis=1, keepdims=True)
    best = best & (weights == weights.max(axis=0))
    return {(int(j), int(i)) for i, j in np.argwhere(best)}


# %% links wrong: a list
def mutual_links(weights):
    of_target, of_source = weights.argmax(axis=1), weights.argmax(axis=0)
    return [(int(j), i) for i, j in enumerate(of_target) if of_source[j] == i]


# %% links right: the two directions' intersection
def mutual_links(weights):
    one = {(int(j), i) for i, j in enumerate(weights.argmax(axis=1))}
    return one & {(j, int(i)) for j, i in enumerate(weights.argmax(axis=0))}


# %% links right: loops, the first of equals
def mutual_links(weights):
    rows = weights.tolist()
    columns = list(map(list, zip(*rows)))
    links = set()
    for i, row in enumerate(rows):
        j = row.index(max(row))
        if columns[j].index(max(columns[j])) == i:
            links.add((j, i))
    return links


# %% permuted wrong: the values are shuffled along
def permutation_effect(weights, V, readout, orders):
    effects = []
    for row in weights:
        before = np.asarray(readout(row @ V))
        after = [np.asarray(readout(row[order] @ V[order])) for order in orders]
        effects.append(np.median([np.abs(p - before).sum() / 2 for p in after]))
    return np.array(effects)


# %% permuted wrong: without the half
def permutation_effect(weights, V, readout, orders):
    effects = []
    for row in weights:
        before = np.asarray(readout(row @ V))
        after = [np.asarray(readout(row[order] @ V)) for order in orders]
        effects.append(np.median([np.abs(p - before).sum() for p in after]))
    return np.array(effects)


# %% permuted wrong: the mean
def permutation_effect(weights, V, readout, orders):
    effects = []
    for row in weights:
        before = np.asarray(readout(row @ V))
        after = [np.asarray(readout(row[order] @ V)) for order in orders]
        effects.append(np.mean([np.abs(p - before).sum() / 2 for p in after]))
    return np.array(effects)


# %% permuted wrong: compares weights, not outputs
def permutation_effect(weights, V, readout, orders):
    moved = [np.abs(weights[:, order] - weights).sum(axis=1) / 2 for order in orders]
    return np.median(moved, axis=0)


# %% permuted wrong: compares contexts, not outputs
def permutation_effect(weights, V, readout, orders):
    moved = [
        np.abs((weights[:, order] - weights) @ V).sum(axis=1) / 2 for order in orders
    ]
    return np.median(moved, axis=0)


# %% permuted wrong: one number for all queries
def permutation_effect(weights, V, readout, orders):
    effects = []
    for row in weights:
        before = np.asarray(readout(row @ V))
        for order in orders:
            after = np.asarray(readout(row[order] @ V))
            effects.append(np.abs(after - before).sum() / 2)
    return np.median(effects)


# %% permuted wrong: the largest difference
def permutation_effect(weights, V, readout, orders):
    result = []
    for row in weights:
        p = np.asarray(readout(row @ V))
        far = [np.abs(np.asarray(readout(row[o] @ V)) - p).max() for o in orders]
        result.append(np.median(far))
    return np.array(result)


# %% permuted right: shuffles the values the other way instead
def permutation_effect(weights, V, readout, orders):
    effects = np.zeros((len(weights), len(orders)))
    for i, row in enumerate(weights):
        before = np.asarray(readout(row @ V))
        for n, order in enumerate(orders):
            after = np.asarray(readout(row @ V[np.argsort(order)]))
            effects[i, n] = np.maximum(after - before, 0).sum()
    return np.median(effects, axis=1)


# %% permuted right: all contexts first, the middle of a sorted list
def permutation_effect(weights, V, readout, orders):
    result = []
    for i in range(len(weights)):
        contexts = np.stack([weights[i][order] for order in orders]) @ V
        p = np.asarray(readout(weights[i] @ V))
        far = sorted(0.5 * np.abs(np.asarray(readout(c)) - p).sum() for c in contexts)
        n = len(far)
        result.append((far[(n - 1) // 2] + far[n // 2]) / 2)
    return np.array(result)


# %% beam wrong: greedy, whatever the size
def beam_search(next_logs, size, limit):
    words, total = [], 0.0
    for _ in range(limit):
        row = np.asarray(next_logs(np.array([words], dtype=int).reshape(1, -1)))[0]
        words, total = [*words, int(row.argmax())], total + float(row.max())
        if words[-1] == 0:
            break
    return words, total / len(words)


# %% beam wrong: what ended is dropped from the beam
def beam_search(next_logs, size, limit):
    beam = [([], 0.0)]
    for _ in range(limit):
        running = [one for one in beam if not one[0] or one[0][-1] != 0]
        if not running:
            break
        prefixes = np.array([words for words, _ in running], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(running), -1)))
        pool = [
            ([*words, word], total + float(x))
            for (words, total), row in zip(running, logs)
            for word, x in enumerate(row)
        ]
        beam = sorted(pool, key=lambda one: -one[1])[:size]
    means = [(words, x / len(words)) for words, x in beam]
    return max(means, key=lambda one: one[1])


# %% beam wrong: stops with the first that ends
def beam_search(next_logs, size, limit):
    beam = [([], 0.0)]
    for _ in range(limit):
        prefixes = np.array([words for words, _ in beam], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(beam), -1)))
        pool = [
            ([*words, word], total + float(x))
            for (words, total), row in zip(beam, logs)
            for word, x in enumerate(row)
        ]
        beam = sorted(pool, key=lambda one: -one[1])[:size]
        ended = [one for one in beam if one[0][-1] == 0]
        if ended:
            means = [(words, x / len(words)) for words, x in ended]
            return max(means, key=lambda one: one[1])
    means = [(words, x / len(words)) for words, x in beam]
    return max(means, key=lambda one: one[1])


# %% beam wrong: what ended goes on
def beam_search(next_logs, size, limit):
    beam = [([], 0.0)]
    for _ in range(limit):
        prefixes = np.array([words for words, _ in beam], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(beam), -1)))
        pool = [
            ([*words, word], total + float(x))
            for (words, total), row in zip(beam, logs)
            for word, x in enumerate(row)
        ]
        beam = sorted(pool, key=lambda one: -one[1])[:size]
    means = [(words, x / len(words)) for words, x in beam]
    return max(means, key=lambda one: one[1])


# %% beam wrong: each asks by itself
def beam_search(next_logs, size, limit):
    beam = [([], 0.0)]
    for _ in range(limit):
        pool = []
        for words, total in beam:
            if words and words[-1] == 0:
                pool.append((words, total))
                continue
            row = np.asarray(next_logs(np.array([words], dtype=int).reshape(1, -1)))[0]
            pool += [([*words, word], total + float(x)) for word, x in enumerate(row)]
        beam = sorted(pool, key=lambda one: -one[1])[:size]
    means = [(words, x / len(words)) for words, x in beam]
    return max(means, key=lambda one: one[1])


# %% beam wrong: the best by the sum of its logarithms
def beam_search(next_logs, size, limit):
    ended, running = [], [([], 0.0)]
    for _ in range(limit):
        prefixes = np.array([words for words, _ in running], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(running), -1)))
        pool = list(ended)
        for (words, total), row in zip(running, logs):
            pool += [([*words, word], total + float(x)) for word, x in enumerate(row)]
        best = sorted(pool, key=lambda one: -one[1])[:size]
        ended = [one for one in best if one[0][-1] == 0]
        running = [one for one in best if one[0][-1] != 0]
        if not running:
            break
    words, total = max(ended + running, key=lambda one: one[1])
    return words, total / len(words)


# %% beam wrong: probabilities are added up
def beam_search(next_logs, size, limit):
    ended, running = [], [([], 0.0)]
    for _ in range(limit):
        prefixes = np.array([words for words, _ in running], dtype=int)
        logs = np.exp(next_logs(prefixes.reshape(len(running), -1)))
        pool = list(ended)
        for (words, total), row in zip(running, logs):
            pool += [([*words, word], total + float(x)) for word, x in enumerate(row)]
        best = sorted(pool, key=lambda one: -one[1])[:size]
        ended = [one for one in best if one[0][-1] == 0]
        running = [one for one in best if one[0][-1] != 0]
        if not running:
            break
    means = [(words, x / len(words)) for words, x in ended + running]
    return max(means, key=lambda one: one[1])


# %% beam wrong: the limit is not kept
def beam_search(next_logs, size, limit):
    ended, running = [], [([], 0.0)]
    while running:
        prefixes = np.array([words for words, _ in running], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(running), -1)))
        pool = list(ended)
        for (words, total), row in zip(running, logs):
            pool += [([*words, word], total + float(x)) for word, x in enumerate(row)]
        best = sorted(pool, key=lambda one: -one[1])[:size]
        ended = [one for one in best if one[0][-1] == 0]
        running = [one for one in best if one[0][-1] != 0]
    means = [(words, x / len(words)) for words, x in ended]
    return max(means, key=lambda one: one[1])


# %% beam wrong: at the limit one that ended is preferred
def beam_search(next_logs, size, limit):
    beam = [([], 0.0)]
    for _ in range(limit):
        running = [one for one in beam if one[0][-1:] != [0]]
        if not running:
            break
        prefixes = np.array([words for words, _ in running], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(running), -1)))
        pool = [one for one in beam if one[0][-1:] == [0]]
        pool += [
            ([*words, word], total + float(x))
            for (words, total), row in zip(running, logs)
            for word, x in enumerate(row)
        ]
        beam = sorted(pool, key=lambda one: -one[1])[:size]
    ended = [one for one in beam if one[0][-1:] == [0]]
    means = [(words, x / len(words)) for words, x in ended or beam]
    return max(means, key=lambda one: one[1])


# %% beam wrong: what ended is put aside and never pushed out
def beam_search(next_logs, size, limit):
    beam, ended = [([], 0.0)], []
    for _ in range(limit):
        prefixes = np.array([words for words, _ in beam], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(beam), -1)))
        pool = [
            ([*words, word], total + float(x))
            for (words, total), row in zip(beam, logs)
            for word, x in enumerate(row)
        ]
        pool = sorted(pool, key=lambda one: -one[1])[:size]
        ended += [one for one in pool if one[0][-1] == 0]
        beam = [one for one in pool if one[0][-1] != 0]
        if not beam:
            break
    means = [(words, x / len(words)) for words, x in ended + beam]
    return max(means, key=lambda one: one[1])


# %% beam wrong: the sum is returned
def beam_search(next_logs, size, limit):
    ended, running = [], [([], 0.0)]
    for _ in range(limit):
        prefixes = np.array([words for words, _ in running], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(running), -1)))
        pool = list(ended)
        for (words, total), row in zip(running, logs):
            pool += [([*words, word], total + float(x)) for word, x in enumerate(row)]
        best = sorted(pool, key=lambda one: -one[1])[:size]
        ended = [one for one in best if one[0][-1] == 0]
        running = [one for one in best if one[0][-1] != 0]
        if not running:
            break
    return max(ended + running, key=lambda one: one[1] / len(one[0]))


# %% beam wrong: the mean chooses at each step, too
def beam_search(next_logs, size, limit):
    ended, running = [], [([], 0.0)]
    for _ in range(limit):
        prefixes = np.array([words for words, _ in running], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(running), -1)))
        pool = list(ended)
        for (words, total), row in zip(running, logs):
            pool += [([*words, word], total + float(x)) for word, x in enumerate(row)]
        best = sorted(pool, key=lambda one: -one[1] / len(one[0]))[:size]
        ended = [one for one in best if one[0][-1] == 0]
        running = [one for one in best if one[0][-1] != 0]
        if not running:
            break
    means = [(words, x / len(words)) for words, x in ended + running]
    return max(means, key=lambda one: one[1])


# %% beam wrong: the end mark does not count
def beam_search(next_logs, size, limit):
    ended, running = [], [([], 0.0)]
    for _ in range(limit):
        prefixes = np.array([words for words, _ in running], dtype=int)
        logs = np.asarray(next_logs(prefixes.reshape(len(running), -1)))
        pool = list(ended)
        for (words, total), row in zip(running, logs):
            pool += [([*words, word], total + float(x)) for word, x in enumerate(row)]
        best = sorted(pool, key=lambda one: -one[1])[:size]
        ended = [one for one in best if one[0][-1] == 0]
        running = [one for one in best if one[0][-1] != 0]
        if not running:
            break
    means = [(w, x / max(len(w) - (w[-1] == 0), 1)) for w, x in ended + running]
    return max(means, key=lambda one: one[1])


# %% beam right: arrays, the best of a flattened table
def beam_search(next_logs, size, limit):
    words, totals = np.zeros((1, 0), dtype=int), np.zeros(1)
    ended = []
    for _ in range(limit):
        logs = totals[:, None] + np.asarray(next_logs(words))
        room = np.concatenate([[total for _, total in ended], logs.ravel()])
        kept = np.argsort(-room, kind="stable")[:size]
        old, new = kept[kept < len(ended)], kept[kept >= len(ended)] - len(ended)
        parent, last = np.divmod(new, logs.shape[1])
        words = np.concatenate([words[parent], last[:, None]], axis=1)
        totals = logs.ravel()[new]
        ended = [ended[n] for n in old]
        over = words[:, -1] == 0
        ended += list(zip(words[over].tolist(), totals[over].tolist()))
        words, totals = words[~over], totals[~over]
        if not len(words):
            break
    ended += list(zip(words.tolist(), totals.tolist()))
    means = [total / len(row) for row, total in ended]
    return ended[int(np.argmax(means))][0], max(means)


# %% beam right: heapq, and one list for all
def beam_search(next_logs, size, limit):
    import heapq

    beam = [(0.0, [])]
    for _ in range(limit):
        running = [one for one in beam if one[1][-1:] != [0]]
        if not running:
            break
        prefixes = np.array([words for _, words in running]).astype(int)
        rows = np.asarray(next_logs(prefixes.reshape(len(running), -1))).tolist()
        pool = [one for one in beam if one[1][-1:] == [0]]
        for (total, words), row in zip(running, rows):
            pool += [(total + x, words + [word]) for word, x in enumerate(row)]
        beam = heapq.nlargest(size, pool, key=lambda one: one[0])
    mean, words = max((total / len(words), words) for total, words in beam)
    return words, mean
