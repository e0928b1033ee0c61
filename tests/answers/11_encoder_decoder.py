# %% forced wrong: not shifted, so the model may copy its input
def forced(targets):
    T = max(map(len, targets)) + 1
    wanted = np.array(
        [[*words, EOS] + [PAD] * (T - 1 - len(words)) for words in targets]
    )
    return wanted.copy(), wanted


# %% forced wrong: EOS stays in what is given
def forced(targets):
    T = max(map(len, targets)) + 2
    rows = [[BOS, *words, EOS] + [PAD] * (T - 2 - len(words)) for words in targets]
    rows = np.array(rows)
    return rows[:, :-1], rows[:, 1:]


# %% forced wrong: EOS at the end of the padding
def forced(targets):
    T = max(map(len, targets))
    rows = [[*words] + [PAD] * (T - len(words)) for words in targets]
    return np.array([[BOS, *r] for r in rows]), np.array([[*r, EOS] for r in rows])


# %% forced wrong: filled up with EOS
def forced(targets):
    T = max(map(len, targets)) + 1
    given = [[BOS, *words] + [PAD] * (T - 1 - len(words)) for words in targets]
    wanted = [[*words] + [EOS] * (T - len(words)) for words in targets]
    return np.array(given), np.array(wanted)


# %% forced wrong: no end mark to be learnt
def forced(targets):
    T = max(map(len, targets)) + 1
    rows = np.array([[BOS, *w] + [PAD] * (T - 1 - len(w)) for w in targets])
    return rows, np.concatenate([rows[:, 1:], np.full((len(rows), 1), PAD)], axis=1)


# %% forced wrong: floats
def forced(targets):
    T = max(map(len, targets)) + 1
    given, wanted = np.zeros((len(targets), T)), np.zeros((len(targets), T))
    for row, words in enumerate(targets):
        given[row, : len(words) + 1] = [BOS, *words]
        wanted[row, : len(words) + 1] = [*words, EOS]
    return given, wanted


# %% forced right: lists, then one array each
def forced(targets):
    T = max(map(len, targets)) + 1
    given = [[BOS, *words] + [PAD] * (T - 1 - len(words)) for words in targets]
    wanted = [[*words, EOS] + [PAD] * (T - 1 - len(words)) for words in targets]
    return np.array(given), np.array(wanted)


# %% forced right: cut out of one array, the end mark taken away again
def forced(targets):
    rows = [torch.tensor([BOS, *words, EOS]) for words in targets]
    whole = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)
    given = whole[:, :-1].masked_fill(whole[:, :-1] == EOS, PAD)
    return given.numpy(), whole[:, 1:].numpy()


# %% loss wrong: padding counts
def loss(logits, wanted):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return float(-np.take_along_axis(logs, wanted[..., None], axis=-1).mean())


# %% loss wrong: padding counts below the fraction bar
def loss(logits, wanted):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    chosen = np.take_along_axis(logs, wanted[..., None], axis=-1)[..., 0]
    return float(-(chosen * (wanted != PAD)).mean())


# %% loss wrong: the mean of the sentences' means
def loss(logits, wanted):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    chosen = np.take_along_axis(logs, wanted[..., None], axis=-1)[..., 0]
    return float(np.mean([-c[w != PAD].mean() for c, w in zip(chosen, wanted)]))


# %% loss wrong: overflows
def loss(logits, wanted):
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    chosen = np.take_along_axis(p, wanted[..., None], axis=-1)[..., 0]
    return float(-np.log(chosen[wanted != PAD]).mean())


# %% loss wrong: the log of a probability that was rounded to 0
def loss(logits, wanted):
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = exps / exps.sum(axis=-1, keepdims=True)
    chosen = np.take_along_axis(p, wanted[..., None], axis=-1)[..., 0]
    return float(-np.log(chosen[wanted != PAD]).mean())


# %% loss wrong: in bits
def loss(logits, wanted):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    chosen = np.take_along_axis(logs, wanted[..., None], axis=-1)[..., 0]
    return float(-chosen[wanted != PAD].mean() / np.log(2))


# %% loss wrong: the sum
def loss(logits, wanted):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    chosen = np.take_along_axis(logs, wanted[..., None], axis=-1)[..., 0]
    return float(-chosen[wanted != PAD].sum())


# %% loss wrong: softmax over the places
def loss(logits, wanted):
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    chosen = np.take_along_axis(logs, wanted[..., None], axis=-1)[..., 0]
    return float(-chosen[wanted != PAD].mean())


# %% loss right: word by word
def loss(logits, wanted):
    costs = []
    for row, words in zip(logits, wanted):
        for scores, word in zip(row, words):
            if word != PAD:
                top = max(scores)
                total = sum(math.exp(score - top) for score in scores)
                costs.append(top + math.log(total) - scores[word])
    return sum(costs) / len(costs)


# %% loss right: by torch
def loss(logits, wanted):
    real = wanted != PAD
    rows, words = torch.tensor(logits[real]), torch.tensor(wanted[real])
    return float(torch.nn.functional.cross_entropy(rows, words))


# %% gru-step wrong: the reset gate before the product, as in the paper
def gru_step(x, h, W, U, b, c):
    D = len(h)
    first = W @ x + b
    r = 1 / (1 + np.exp(-first[:D] - U[:D] @ h - c[:D]))
    z = 1 / (1 + np.exp(-first[D : 2 * D] - U[D : 2 * D] @ h - c[D : 2 * D]))
    n = np.tanh(first[2 * D :] + U[2 * D :] @ (r * h) + c[2 * D :])
    return (1 - z) * n + z * h


# %% gru-step wrong: z and 1 − z exchanged
def gru_step(x, h, W, U, b, c):
    x, u = np.split(W @ x + b, 3), np.split(U @ h + c, 3)
    r, z = (1 / (1 + np.exp(-x[k] - u[k])) for k in (0, 1))
    n = np.tanh(x[2] + r * u[2])
    return z * n + (1 - z) * h


# %% gru-step wrong: update before reset
def gru_step(x, h, W, U, b, c):
    x, u = np.split(W @ x + b, 3), np.split(U @ h + c, 3)
    z, r = (1 / (1 + np.exp(-x[k] - u[k])) for k in (0, 1))
    n = np.tanh(x[2] + r * u[2])
    return (1 - z) * n + z * h


# %% gru-step wrong: c_n outside of the reset gate
def gru_step(x, h, W, U, b, c):
    x, u = np.split(W @ x + b + c, 3), np.split(U @ h, 3)
    r, z = (1 / (1 + np.exp(-x[k] - u[k])) for k in (0, 1))
    n = np.tanh(x[2] + r * u[2])
    return (1 - z) * n + z * h


# %% gru-step wrong: no tanh
def gru_step(x, h, W, U, b, c):
    x, u = np.split(W @ x + b, 3), np.split(U @ h + c, 3)
    r, z = (1 / (1 + np.exp(-x[k] - u[k])) for k in (0, 1))
    return (1 - z) * (x[2] + r * u[2]) + z * h


# %% gru-step wrong: one gate closes both
def gru_step(x, h, W, U, b, c):
    x, u = np.split(W @ x + b, 3), np.split(U @ h + c, 3)
    r, z = (1 / (1 + np.exp(-x[k] - u[k])) for k in (0, 1))
    n = np.tanh(r * (x[2] + u[2]))
    return (1 - z) * n + z * h


# %% gru-step right: by torch's own cell
def gru_step(x, h, W, U, b, c):
    cell = torch.nn.GRUCell(len(x), len(h)).double()
    cell.weight_ih.data, cell.weight_hh.data = torch.tensor(W), torch.tensor(U)
    cell.bias_ih.data, cell.bias_hh.data = torch.tensor(b), torch.tensor(c)
    with torch.no_grad():
        return cell(torch.tensor(x)[None], torch.tensor(h)[None])[0].numpy()


# %% gru-step right: feature by feature
def gru_step(x, h, W, U, b, c):
    D, new = len(h), []
    for d in range(D):
        from_x = [W[k * D + d] @ x + b[k * D + d] for k in range(3)]
        from_h = [U[k * D + d] @ h + c[k * D + d] for k in range(3)]
        r, z = (0.5 + 0.5 * math.tanh((from_x[k] + from_h[k]) / 2) for k in (0, 1))
        new.append(z * h[d] + (1 - z) * math.tanh(from_x[2] + r * from_h[2]))
    return np.array(new)


# %% encode wrong: the backward states not turned round again
def encode(X, forwards, backwards):
    sides = []
    for rows, parameters in [(X, forwards), (X[::-1], backwards)]:
        h, states = np.zeros(parameters[1].shape[1]), []
        for x in rows:
            h = gru_step(x, h, *parameters)
            states.append(h)
        sides.append(np.array(states))
    C = np.concatenate([sides[0][-1], sides[1][-1]])
    return np.concatenate(sides, axis=1), C


# %% encode wrong: C is the last row of states
def encode(X, forwards, backwards):
    sides = []
    for rows, parameters in [(X, forwards), (X[::-1], backwards)]:
        h, states = np.zeros(parameters[1].shape[1]), []
        for x in rows:
            h = gru_step(x, h, *parameters)
            states.append(h)
        sides.append(np.array(states))
    states = np.concatenate([sides[0], sides[1][::-1]], axis=1)
    return states, states[-1]


# %% encode wrong: one set of parameters for both directions
def encode(X, forwards, backwards):
    sides = []
    for rows in (X, X[::-1]):
        h, states = np.zeros(forwards[1].shape[1]), []
        for x in rows:
            h = gru_step(x, h, *forwards)
            states.append(h)
        sides.append(np.array(states))
    states = np.concatenate([sides[0], sides[1][::-1]], axis=1)
    return states, np.concatenate([sides[0][-1], sides[1][-1]])


# %% encode wrong: the backward pass goes on from the forward state
def encode(X, forwards, backwards):
    sides, h = [], np.zeros(forwards[1].shape[1])
    for rows, parameters in [(X, forwards), (X[::-1], backwards)]:
        states = []
        for x in rows:
            h = gru_step(x, h, *parameters)
            states.append(h)
        sides.append(np.array(states))
    states = np.concatenate([sides[0], sides[1][::-1]], axis=1)
    return states, np.concatenate([sides[0][-1], sides[1][-1]])


# %% encode wrong: the mean of the states
def encode(X, forwards, backwards):
    sides = []
    for rows, parameters in [(X, forwards), (X[::-1], backwards)]:
        h, states = np.zeros(parameters[1].shape[1]), []
        for x in rows:
            h = gru_step(x, h, *parameters)
            states.append(h)
        sides.append(np.array(states))
    states = np.concatenate([sides[0], sides[1][::-1]], axis=1)
    return states, states.mean(axis=0)


# %% encode right: rows filled from both ends
def encode(X, forwards, backwards):
    S, D = len(X), forwards[1].shape[1]
    states, there, back = np.zeros((S, 2 * D)), np.zeros(D), np.zeros(D)
    for t in range(S):
        there = gru_step(X[t], there, *forwards)
        back = gru_step(X[S - 1 - t], back, *backwards)
        states[t, :D], states[S - 1 - t, D:] = there, back
    return states, np.concatenate([there, back])


# %% encode right: by torch
def encode(X, forwards, backwards):
    D = forwards[1].shape[1]
    net = torch.nn.GRU(X.shape[1], D, bidirectional=True).double()
    for end, parts in [("l0", forwards), ("l0_reverse", backwards)]:
        for name, value in zip(["weight_ih", "weight_hh", "bias_ih", "bias_hh"], parts):
            getattr(net, f"{name}_{end}").data = torch.tensor(value)
    with torch.no_grad():
        states, last = net(torch.tensor(np.ascontiguousarray(X)))
    return states.numpy(), last.flatten().numpy()


# %% greedy wrong: EOS among the words
def greedy(step, state, limit):
    words, total, word = [], 0.0, BOS
    while len(words) < limit and word != EOS:
        scores, state = step(state, word)
        word = int(np.argmax(scores))
        total -= np.log(np.exp(scores - scores[word]).sum())
        words.append(word)
    return words, total


# %% greedy wrong: EOS does not count for the probability
def greedy(step, state, limit):
    words, total, word = [], 0.0, BOS
    while len(words) < limit:
        scores, state = step(state, word)
        word = int(np.argmax(scores))
        if word == EOS:
            break
        total -= np.log(np.exp(scores - scores[word]).sum())
        words.append(word)
    return words, total


# %% greedy wrong: scores taken for log-probabilities
def greedy(step, state, limit):
    words, total, word = [], 0.0, BOS
    while len(words) < limit:
        scores, state = step(state, word)
        word = int(np.argmax(scores))
        total += float(np.max(scores))
        if word == EOS:
            break
        words.append(word)
    return words, total


# %% greedy wrong: the state is never updated
def greedy(step, state, limit):
    words, total, word = [], 0.0, BOS
    while len(words) < limit:
        scores, _ = step(state, word)
        word = int(np.argmax(scores))
        total -= np.log(np.exp(scores - scores[word]).sum())
        if word == EOS:
            break
        words.append(word)
    return words, total


# %% greedy wrong: always feeds the start mark
def greedy(step, state, limit):
    words, total = [], 0.0
    while len(words) < limit:
        scores, state = step(state, BOS)
        word = int(np.argmax(scores))
        total -= np.log(np.exp(scores - scores[word]).sum())
        if word == EOS:
            break
        words.append(word)
    return words, total


# %% greedy wrong: no limit
def greedy(step, state, limit):
    words, total, word = [], 0.0, BOS
    while True:
        scores, state = step(state, word)
        word = int(np.argmax(scores))
        total -= np.log(np.exp(scores - scores[word]).sum())
        if word == EOS:
            return words, total
        words.append(word)


# %% greedy wrong: asks once too often at the limit
def greedy(step, state, limit):
    words, total, word = [], 0.0, BOS
    for _ in range(limit + 1):
        scores, state = step(state, word)
        word = int(np.argmax(scores))
        total -= np.log(np.exp(scores - scores[word]).sum())
        if word == EOS:
            break
        words.append(word)
    return words[:limit], total


# %% greedy right: goes on by itself
def greedy(step, state, limit, word=BOS):
    if limit == 0:
        return [], 0.0
    scores, state = step(state, word)
    logs = torch.tensor(np.asarray(scores)).log_softmax(dim=-1)
    best = int(logs.argmax())
    if best == EOS:
        return [], float(logs[best])
    rest, total = greedy(step, state, limit - 1, best)
    return [best, *rest], float(logs[best]) + total


# %% greedy right: a for loop
def greedy(step, state, limit):
    words, total = [], 0.0
    for _ in range(limit):
        scores, state = step(state, words[-1] if words else BOS)
        scores = [float(score) for score in scores]
        best = scores.index(max(scores))
        total += -math.log(sum(math.exp(score - scores[best]) for score in scores))
        if best == EOS:
            break
        words.append(best)
    return words, total


# %% occlusion wrong: transposed
def occlusion(model, source, target):
    whole = np.array(model(source, target))
    rest = [source[:j] + source[j + 1 :] for j in range(len(source))]
    return np.array([whole - np.array(model(words, target)) for words in rest])


# %% occlusion wrong: the sign
def occlusion(model, source, target):
    whole = np.array(model(source, target))
    rest = [source[:j] + source[j + 1 :] for j in range(len(source))]
    return np.array([np.array(model(words, target)) - whole for words in rest]).T


# %% occlusion wrong: leaves out all equal words at once
def occlusion(model, source, target):
    whole = np.array(model(source, target))
    rest = [[word for word in source if word != one] for one in source]
    return np.array([whole - np.array(model(words, target)) for words in rest]).T


# %% occlusion wrong: removes the first of two equal words
def occlusion(model, source, target):
    whole, columns = np.array(model(source, target)), []
    for word in source:
        rest = list(source)
        rest.remove(word)
        columns.append(whole - np.array(model(rest, target)))
    return np.array(columns).T


# %% occlusion wrong: keeps only the word instead of leaving it out
def occlusion(model, source, target):
    whole = np.array(model(source, target))
    return np.array([whole - np.array(model([word], target)) for word in source]).T


# %% occlusion wrong: words that are gone do not come back
def occlusion(model, source, target):
    whole, rest, columns = np.array(model(source, target)), list(source), []
    for _ in source:
        rest = rest[1:]
        columns.append(whole - np.array(model(rest, target)))
    return np.array(columns).T


# %% occlusion wrong: asks for the whole sentence again and again
def occlusion(model, source, target):
    columns = []
    for j in range(len(source)):
        rest = source[:j] + source[j + 1 :]
        columns.append(np.array(model(source, target)) - np.array(model(rest, target)))
    return np.array(columns).T


# %% occlusion wrong: takes the words out of the caller's list
def occlusion(model, source, target):
    whole, columns = np.array(model(source, target)), []
    for j in range(len(source)):
        word = source.pop(j)
        columns.append(whole - np.array(model(source, target)))
        source.insert(0, word)
    return np.array(columns).T


# %% occlusion right: cell by cell
def occlusion(model, source, target):
    whole = model(source, target)
    found = np.zeros((len(target), len(source)))
    for j in range(len(source)):
        rest = model([w for k, w in enumerate(source) if k != j], target)
        for i in range(len(target)):
            found[i, j] = whole[i] - rest[i]
    return found


# %% occlusion right: from the last word to the first
def occlusion(model, source, target):
    columns = []
    for j in reversed(range(len(source))):
        rest = list(source)
        del rest[j]
        columns.insert(0, torch.tensor(model(rest, target)))
    return torch.tensor(model(source, target))[:, None] - torch.stack(columns, dim=1)


# %% greedy wrong: exp overflows
def greedy(step, state, limit):
    words, total, word = [], 0.0, BOS
    while len(words) < limit:
        scores, state = step(state, word)
        word = int(np.argmax(scores))
        total += scores[word] - np.log(np.exp(scores).sum())
        if word == EOS:
            break
        words.append(word)
    return words, total
