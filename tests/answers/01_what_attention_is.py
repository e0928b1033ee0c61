# %% kernel wrong: the Gaussian kernel again
def laplace_estimate(query, degrees, cones, bandwidth):
    kernels = np.exp(-(((query - degrees) / bandwidth) ** 2) / 2)
    return kernels / kernels.sum() @ cones


# %% kernel wrong: the distance keeps its sign
def laplace_estimate(query, degrees, cones, bandwidth):
    kernels = np.exp(-(query - degrees) / bandwidth)
    return kernels / kernels.sum() @ cones


# %% kernel wrong: without the minus, so that far days count most
def laplace_estimate(query, degrees, cones, bandwidth):
    kernels = np.exp(np.abs(query - degrees) / bandwidth)
    return kernels / kernels.sum() @ cones


# %% kernel wrong: never shares out
def laplace_estimate(query, degrees, cones, bandwidth):
    return np.exp(-np.abs(query - degrees) / bandwidth) @ cones


# %% kernel wrong: ignores the bandwidth
def laplace_estimate(query, degrees, cones, bandwidth):
    kernels = np.exp(-np.abs(query - degrees))
    return kernels / kernels.sum() @ cones


# %% kernel wrong: half the distance, as in the bell curve
def laplace_estimate(query, degrees, cones, bandwidth):
    kernels = np.exp(-np.abs(query - degrees) / bandwidth / 2)
    return kernels / kernels.sum() @ cones


# %% kernel wrong: returns the weights
def laplace_estimate(query, degrees, cones, bandwidth):
    kernels = np.exp(-np.abs(query - degrees) / bandwidth)
    return kernels / kernels.sum()


# %% kernel right: a loop, day by day
def laplace_estimate(query, degrees, cones, bandwidth):
    total, estimate = 0, 0
    for degree, sold in zip(degrees, cones, strict=True):
        kernel = np.exp(-abs(query - degree) / bandwidth)
        total += kernel
        estimate += kernel * sold
    return estimate / total


# %% kernel right: by numpy's weighted average
def laplace_estimate(query, degrees, cones, bandwidth):
    kernels = np.exp(-np.abs(degrees - query) / bandwidth)
    return np.average(cones, weights=kernels)


# %% laplace wrong: the Gaussian kernel again
def laplace_attention(Q, K, V, bandwidth):
    kernel = np.exp(gaussian(Q, K, bandwidth))
    weights = kernel / kernel.sum(axis=-1, keepdims=True)
    return weights @ V, weights


# %% laplace wrong: the Euclidean distance, which agrees only at width 1
def laplace_attention(Q, K, V, bandwidth):
    distances = np.sqrt(((Q[:, None, :] - K) ** 2).sum(axis=-1))
    kernel = np.exp(-distances / bandwidth)
    weights = kernel / kernel.sum(axis=-1, keepdims=True)
    return weights @ V, weights


# %% laplace wrong: shares out over the queries
def laplace_attention(Q, K, V, bandwidth):
    distances = np.abs(Q[:, None, :] - K).sum(axis=-1)
    kernel = np.exp(-distances / bandwidth)
    weights = kernel / kernel.sum(axis=0, keepdims=True)
    return weights @ V, weights


# %% laplace wrong: never shares out
def laplace_attention(Q, K, V, bandwidth):
    weights = np.exp(-np.abs(Q[:, None, :] - K).sum(axis=-1) / bandwidth)
    return weights @ V, weights


# %% laplace wrong: ignores the bandwidth
def laplace_attention(Q, K, V, bandwidth):
    kernel = np.exp(-np.abs(Q[:, None, :] - K).sum(axis=-1))
    weights = kernel / kernel.sum(axis=-1, keepdims=True)
    return weights @ V, weights


# %% laplace wrong: right weights, but a plain mean
def laplace_attention(Q, K, V, bandwidth):
    kernel = np.exp(-np.abs(Q[:, None, :] - K).sum(axis=-1) / bandwidth)
    weights = kernel / kernel.sum(axis=-1, keepdims=True)
    return np.tile(V.mean(axis=0), (len(Q), 1)), weights


# %% laplace wrong: subtracts in place and so spoils the keys
def laplace_attention(Q, K, V, bandwidth):
    rows = []
    for q in Q:
        K -= q
        rows.append(np.exp(-np.abs(K).sum(axis=-1) / bandwidth))
    kernel = np.array(rows)
    weights = kernel / kernel.sum(axis=-1, keepdims=True)
    return weights @ V, weights


# %% laplace wrong: the nearest key takes all
def laplace_attention(Q, K, V, bandwidth):
    distances = np.abs(Q[:, None, :] - K).sum(axis=-1)
    weights = np.eye(len(K))[distances.argmin(axis=-1)]
    return weights @ V, weights


# %% laplace wrong: one number a key, by broadcasting
def laplace_attention(Q, K, V, bandwidth):
    kernel = np.exp(-np.abs(Q[:, :1] - K[:, :1].T) / bandwidth)
    weights = kernel / kernel.sum(axis=-1, keepdims=True)
    return weights @ V, weights


# %% laplace wrong: the bandwidth is always 2
def laplace_attention(Q, K, V, bandwidth):
    kernel = np.exp(-np.abs(Q[:, None, :] - K).sum(axis=-1) / 2)
    weights = kernel / kernel.sum(axis=-1, keepdims=True)
    return weights @ V, weights


# %% laplace right: three loops
def laplace_attention(Q, K, V, bandwidth):
    estimates, weights = [], []
    for q in Q:
        kernel = []
        for k in K:
            apart = sum(abs(a - b) for a, b in zip(q, k, strict=True))
            kernel.append(np.exp(-apart / bandwidth))
        row = [share / sum(kernel) for share in kernel]
        weights.append(row)
        estimates.append(sum(a * v for a, v in zip(row, V, strict=True)))
    return np.array(estimates), np.array(weights)


# %% laplace right: by torch's distances and softmax
def laplace_attention(Q, K, V, bandwidth):
    import torch

    scores = -torch.cdist(torch.tensor(Q), torch.tensor(K), p=1) / bandwidth
    weights = torch.softmax(scores, dim=-1).numpy()
    return weights @ V, weights


# %% dial wrong: takes bits for items
def bandwidth_for(focus, query, keys):
    low, high = 0.5, 50.0
    for _ in range(50):
        middle = (low + high) / 2
        kernel = np.exp(gaussian([[query]], keys[:, None], middle))[0]
        if entropy(kernel / kernel.sum()) < focus:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# %% dial wrong: e to the power of bits
def bandwidth_for(focus, query, keys):
    low, high = 0.5, 50.0
    for _ in range(50):
        middle = (low + high) / 2
        kernel = np.exp(gaussian([[query]], keys[:, None], middle))[0]
        if np.exp(entropy(kernel / kernel.sum())) < focus:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# %% dial wrong: keeps the other half
def bandwidth_for(focus, query, keys):
    low, high = 0.5, 50.0
    for _ in range(50):
        middle = (low + high) / 2
        kernel = np.exp(gaussian([[query]], keys[:, None], middle))[0]
        if 2 ** entropy(kernel / kernel.sum()) < focus:
            high = middle
        else:
            low = middle
    return (low + high) / 2


# %% dial wrong: in proportion to the example
def bandwidth_for(focus, query, keys):
    return 1.452971 * focus / 3


# %% dial wrong: the example's rounding
def bandwidth_for(focus, query, keys):
    known = {3: 1.453, 2: 2.577, 4: 4.801}
    return known[focus]


# %% dial wrong: asks the diary whatever the keys
def bandwidth_for(focus, query, keys):
    low, high = 0.5, 50.0
    for _ in range(50):
        middle = (low + high) / 2
        kernel = np.exp(gaussian([[query]], degrees[:, None], middle))[0]
        if 2 ** entropy(kernel / kernel.sum()) < focus:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# %% dial wrong: always asks at 25 degrees
def bandwidth_for(focus, query, keys):
    low, high = 0.5, 50.0
    for _ in range(50):
        middle = (low + high) / 2
        kernel = np.exp(gaussian([[25]], keys[:, None], middle))[0]
        if 2 ** entropy(kernel / kernel.sum()) < focus:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# %% dial wrong: stops too early
def bandwidth_for(focus, query, keys):
    low, high = 0.5, 50.0
    for _ in range(8):
        middle = (low + high) / 2
        kernel = np.exp(gaussian([[query]], keys[:, None], middle))[0]
        if 2 ** entropy(kernel / kernel.sum()) < focus:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# %% dial wrong: another effective number, one divided by the sum of squares
def bandwidth_for(focus, query, keys):
    low, high = 0.5, 50.0
    for _ in range(50):
        middle = (low + high) / 2
        kernel = np.exp(gaussian([[query]], keys[:, None], middle))[0]
        if 1 / ((kernel / kernel.sum()) ** 2).sum() < focus:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# %% dial wrong: the example's number for every question
def bandwidth_for(focus, query, keys):
    return 1.452971 if focus == 3 else 4.0


# %% dial wrong: searches up to 5 only
def bandwidth_for(focus, query, keys):
    low, high = 0.5, 5.0
    for _ in range(50):
        middle = (low + high) / 2
        kernel = np.exp(gaussian([[query]], keys[:, None], middle))[0]
        if 2 ** entropy(kernel / kernel.sum()) < focus:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# %% dial right: a fine grid, then a straight line between its points
def bandwidth_for(focus, query, keys):
    widths = np.geomspace(0.5, 50, 20_001)
    kernel = np.exp(-(((keys - query) / widths[:, None]) ** 2) / 2)
    numbers = 2 ** entropy(kernel / kernel.sum(axis=-1, keepdims=True))
    return np.interp(focus, numbers, widths)


# %% dial right: halves on a logarithmic scale, with natural logarithms
def bandwidth_for(focus, query, keys):
    low, high = np.log(0.5), np.log(50)
    while high - low > 1e-9:
        middle = (low + high) / 2
        kernel = np.exp(-((keys - query) ** 2) / (2 * np.exp(2 * middle)))
        weights = kernel / kernel.sum()
        weights = weights[weights > 0]
        nats = -(weights * np.log(weights)).sum()
        low, high = (middle, high) if np.exp(nats) < focus else (low, middle)
    return np.exp(low)


# %% mended wrong: the table still sums to 1 as a whole
def mended_estimates(questions, degrees, cones, bandwidth):
    distances = degrees - np.asarray(questions)[:, None]
    kernel = np.exp(-((distances / bandwidth) ** 2) / 2)
    return kernel / kernel.sum() @ cones


# %% mended wrong: shares out over the questions
def mended_estimates(questions, degrees, cones, bandwidth):
    distances = degrees - np.asarray(questions)[:, None]
    kernel = np.exp(-((distances / bandwidth) ** 2) / 2)
    return kernel / kernel.sum(axis=0) @ cones


# %% mended wrong: still spoils the sales
def mended_estimates(questions, degrees, cones, bandwidth):
    estimates = []
    for question in questions:
        kernel = np.exp(-(((degrees - question) / bandwidth) ** 2) / 2)
        kernel /= kernel.sum()
        cones *= kernel
        estimates.append(cones.sum())
        cones /= kernel + 1e-9
    return np.array(estimates)


# %% mended wrong: spoils the temperatures instead
def mended_estimates(questions, degrees, cones, bandwidth):
    estimates = []
    for question in questions:
        degrees -= question
        kernel = np.exp(-((degrees / bandwidth) ** 2) / 2)
        degrees += question + 1e-6
        estimates.append(kernel @ cones / kernel.sum())
    return np.array(estimates)


# %% mended wrong: never divides
def mended_estimates(questions, degrees, cones, bandwidth):
    distances = degrees - np.asarray(questions)[:, None]
    return np.exp(-((distances / bandwidth) ** 2) / 2) @ cones


# %% mended wrong: divides by the number of questions
def mended_estimates(questions, degrees, cones, bandwidth):
    distances = degrees - np.asarray(questions)[:, None]
    kernel = np.exp(-((distances / bandwidth) ** 2) / 2)
    return kernel / kernel.sum() @ cones * len(questions)


# %% mended wrong: one answer for all
def mended_estimates(questions, degrees, cones, bandwidth):
    kernel = np.exp(-(((degrees - 25) / bandwidth) ** 2) / 2)
    return np.array([kernel @ cones / kernel.sum()] * len(questions))


# %% mended wrong: the bandwidth is always 2
def mended_estimates(questions, degrees, cones, bandwidth):
    kernel = np.exp(-(((degrees - questions[:, None]) / 2) ** 2) / 2)
    return kernel @ cones / kernel.sum(axis=-1)


# %% mended right: one question after the other
def mended_estimates(questions, degrees, cones, bandwidth):
    estimates = []
    for question in questions:
        kernel = np.exp(-(((degrees - question) / bandwidth) ** 2) / 2)
        estimates.append(np.average(cones, weights=kernel))
    return np.array(estimates)


# %% mended right: by gaussian, dividing after the sum
def mended_estimates(questions, degrees, cones, bandwidth):
    questions, degrees = np.reshape(questions, (-1, 1)), np.reshape(degrees, (-1, 1))
    kernel = np.exp(gaussian(questions, degrees, bandwidth))
    return (kernel * cones).sum(axis=-1) / kernel.sum(axis=-1)


# %% leave wrong: every day sees itself
def estimates_by_others(degrees, cones, bandwidth):
    keys = degrees[:, None]
    kernel = np.exp(gaussian(keys, keys, bandwidth))
    return kernel / kernel.sum(axis=-1, keepdims=True) @ cones


# %% leave wrong: forgets itself only after sharing out
def estimates_by_others(degrees, cones, bandwidth):
    keys = degrees[:, None]
    kernel = np.exp(gaussian(keys, keys, bandwidth))
    weights = kernel / kernel.sum(axis=-1, keepdims=True)
    np.fill_diagonal(weights, 0)
    return weights @ cones


# %% leave wrong: scores itself 0, which is the best score
def estimates_by_others(degrees, cones, bandwidth):
    keys = degrees[:, None]
    scores = gaussian(keys, keys, bandwidth)
    np.fill_diagonal(scores, 0)
    kernel = np.exp(scores)
    return kernel / kernel.sum(axis=-1, keepdims=True) @ cones


# %% leave wrong: hides the cones but keeps the weight
def estimates_by_others(degrees, cones, bandwidth):
    keys = degrees[:, None]
    kernel = np.exp(gaussian(keys, keys, bandwidth))
    weights = kernel / kernel.sum(axis=-1, keepdims=True)
    return (weights * (1 - np.eye(len(cones)))) @ cones


# %% leave wrong: zeroes the sales for good
def estimates_by_others(degrees, cones, bandwidth):
    estimates = []
    for i, degree in enumerate(degrees):
        kernel = np.exp(-(((degrees - degree) / bandwidth) ** 2) / 2)
        kernel[i], cones[i] = 0, 0
        estimates.append(kernel @ cones / kernel.sum())
    return np.array(estimates)


# %% leave wrong: shares out down the columns
def estimates_by_others(degrees, cones, bandwidth):
    keys = degrees[:, None]
    kernel = np.exp(gaussian(keys, keys, bandwidth))
    np.fill_diagonal(kernel, 0)
    return kernel / kernel.sum(axis=0, keepdims=True) @ cones


# %% leave wrong: forgets every day that is as warm
def estimates_by_others(degrees, cones, bandwidth):
    keys = degrees[:, None]
    kernel = np.exp(gaussian(keys, keys, bandwidth))
    kernel[kernel == 1] = 0
    return kernel / kernel.sum(axis=-1, keepdims=True) @ cones


# %% leave right: delete and average, day by day
def estimates_by_others(degrees, cones, bandwidth):
    estimates = []
    for i in range(len(degrees)):
        others = np.delete(degrees, i)
        kernel = np.exp(-(((others - degrees[i]) / bandwidth) ** 2) / 2)
        estimates.append(np.average(np.delete(cones, i), weights=kernel))
    return np.array(estimates)


# %% leave right: a score of −∞ for itself
def estimates_by_others(degrees, cones, bandwidth):
    scores = -(((degrees[:, None] - degrees) / bandwidth) ** 2) / 2
    scores = np.where(np.eye(len(degrees), dtype=bool), -np.inf, scores)
    kernel = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return kernel @ cones / kernel.sum(axis=-1)


# %% leave right: take the day's own share out of both sums
def estimates_by_others(degrees, cones, bandwidth):
    kernel = np.exp(-(((degrees[:, None] - degrees) / bandwidth) ** 2) / 2)
    return (kernel @ cones - cones) / (kernel.sum(axis=-1) - 1)
