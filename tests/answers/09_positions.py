# %% score wrong: only the key is turned
def turned_score(q, k, i, j, omega):
    c, s = math.cos(omega * j), math.sin(omega * j)
    return q[0] * (k[0] * c - k[1] * s) + q[1] * (k[0] * s + k[1] * c)


# %% score wrong: the second turns the other way
def turned_score(q, k, i, j, omega):
    angle = omega * (i + j)
    c, s = math.cos(angle), math.sin(angle)
    return q[0] * (k[0] * c - k[1] * s) + q[1] * (k[0] * s + k[1] * c)


# %% score wrong: clockwise, by the distance
def turned_score(q, k, i, j, omega):
    angle = omega * (i - j)
    c, s = math.cos(angle), math.sin(angle)
    return q[0] * (k[0] * c - k[1] * s) + q[1] * (k[0] * s + k[1] * c)


# %% score wrong: the speed is forgotten
def turned_score(q, k, i, j, omega):
    c, s = math.cos(j - i), math.sin(j - i)
    return q[0] * (k[0] * c - k[1] * s) + q[1] * (k[0] * s + k[1] * c)


# %% score wrong: the length of the distance only
def turned_score(q, k, i, j, omega):
    angle = omega * abs(j - i)
    c, s = math.cos(angle), math.sin(angle)
    return q[0] * (k[0] * c - k[1] * s) + q[1] * (k[0] * s + k[1] * c)


# %% score right: only the distance
def turned_score(q, k, i, j, omega):
    angle = omega * (j - i)
    c, s = math.cos(angle), math.sin(angle)
    return q[0] * (k[0] * c - k[1] * s) + q[1] * (k[0] * s + k[1] * c)


# %% score right: complex numbers
def turned_score(q, k, i, j, omega):
    import cmath

    a = complex(*q) * cmath.exp(1j * omega * i)
    b = complex(*k) * cmath.exp(1j * omega * j)
    return (a.conjugate() * b).real


# %% score right: matrices of torch
def turned_score(q, k, i, j, omega):
    def turn(angle):
        c, s = math.cos(angle), math.sin(angle)
        return torch.tensor([[c, -s], [s, c]])

    q, k = torch.tensor(q).float(), torch.tensor(k).float()
    return (turn(omega * i) @ q) @ (turn(omega * j) @ k)


# %% shift wrong: turns the wrong way
def shift_matrix(steps, width):
    M = torch.zeros(width, width)
    for i in range(0, width, 2):
        angle = torch.tensor(steps / 10000 ** (i / width))
        M[i, i] = M[i + 1, i + 1] = angle.cos()
        M[i, i + 1], M[i + 1, i] = angle.sin(), -angle.sin()
    return M


# %% shift wrong: one wavelength for all
def shift_matrix(steps, width):
    angle = torch.tensor(float(steps))
    block = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    return torch.block_diag(*[block] * (width // 2))


# %% shift wrong: sines in the left half, cosines in the right
def shift_matrix(steps, width):
    angle = steps / 10000 ** (torch.arange(0, width, 2) / width)
    cos, sin = angle.cos().diag(), angle.sin().diag()
    return torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)])


# %% shift wrong: always one step
def shift_matrix(steps, width):
    angle = 1 / 10000 ** (torch.arange(0, width, 2) / width)
    c, s = angle.cos(), angle.sin()
    blocks = [torch.tensor([[x, -y], [y, x]]) for x, y in zip(c, s)]
    return torch.block_diag(*blocks)


# %% shift wrong: wavelengths counted in columns, not in pairs
def shift_matrix(steps, width):
    angle = steps / 10000 ** (torch.arange(width // 2) / width)
    c, s = angle.cos(), angle.sin()
    blocks = [torch.tensor([[x, -y], [y, x]]) for x, y in zip(c, s)]
    return torch.block_diag(*blocks)


# %% shift right: blocks on a diagonal
def shift_matrix(steps, width):
    angle = steps / 10000 ** (torch.arange(0, width, 2) / width)
    c, s = angle.cos(), angle.sin()
    blocks = [torch.tensor([[x, -y], [y, x]]) for x, y in zip(c, s)]
    return torch.block_diag(*blocks)


# %% shift right: one step, repeated
def shift_matrix(steps, width):
    turn = torch.zeros(width, width, dtype=torch.float64)
    for i in range(width // 2):
        w = torch.tensor(10000 ** (-2 * i / width), dtype=torch.float64)
        turn[2 * i, 2 * i] = turn[2 * i + 1, 2 * i + 1] = torch.cos(w)
        turn[2 * i, 2 * i + 1] = -torch.sin(w)
        turn[2 * i + 1, 2 * i] = torch.sin(w)
    return torch.linalg.matrix_power(turn, steps).float()


# %% shift right: scattered by index
def shift_matrix(steps, width):
    even = torch.arange(0, width, 2)
    angle = steps * torch.exp(-even / width * torch.log(torch.tensor(10000.0)))
    M = torch.zeros(width, width)
    M[even, even] = M[even + 1, even + 1] = torch.cos(angle)
    M[even + 1, even] = torch.sin(angle)
    M[even, even + 1] = -torch.sin(angle)
    return M


# %% shift wrong: the worked example for every question
def shift_matrix(steps, width):
    angle = torch.tensor(1.0)
    block = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    return torch.block_diag(*[block] * (width // 2))


# %% shift wrong: never steps back
def shift_matrix(steps, width):
    angle = abs(steps) / 10000 ** (torch.arange(0, width, 2) / width)
    c, s = angle.cos(), angle.sin()
    blocks = [torch.tensor([[x, -y], [y, x]]) for x, y in zip(c, s)]
    return torch.block_diag(*blocks)


# %% shift right: in NumPy's double precision
def shift_matrix(steps, width):
    import numpy as np

    M = np.zeros((width, width))
    for i in range(0, width, 2):
        angle = steps / 10000 ** (i / width)
        c, s = np.cos(angle), np.sin(angle)
        M[i : i + 2, i : i + 2] = [[c, -s], [s, c]]
    return torch.tensor(M)


# %% mended wrong: one place too far
def mended_scores(newest, turned_keys):
    return rotary(newest, torch.tensor([turned_keys.shape[-2]])) @ turned_keys.mT


# %% mended wrong: the keys are turned once more
def mended_scores(newest, turned_keys):
    place = torch.tensor([turned_keys.shape[-2] - 1])
    return rotary(newest, place) @ rotary(turned_keys).mT


# %% mended wrong: not turned at all
def mended_scores(newest, turned_keys):
    return newest @ turned_keys.mT


# %% mended wrong: turned twice
def mended_scores(newest, turned_keys):
    place = torch.tensor([turned_keys.shape[-2] - 1])
    return rotary(rotary(newest, place), place) @ turned_keys.mT


# %% mended wrong: the first axis is taken for the places
def mended_scores(newest, turned_keys):
    return rotary(newest, torch.tensor([len(turned_keys) - 1])) @ turned_keys.mT


# %% mended right: the query repeated, its last row kept
def mended_scores(newest, turned_keys):
    repeated = newest.expand(turned_keys.shape)
    return rotary(repeated)[..., -1:, :] @ turned_keys.mT


# %% mended right: the keys are turned back instead
def mended_scores(newest, turned_keys):
    S = turned_keys.shape[-2]
    back = rotary(turned_keys, torch.full((S,), 1 - S))
    return newest @ back.mT


# %% convention wrong: the other direction
def for_neighbours(W, heads):
    E = W.shape[1] // heads
    order = torch.cat([torch.arange(0, E, 2), torch.arange(1, E, 2)])
    columns = torch.cat([order + h * E for h in range(heads)])
    return W[:, columns]


# %% convention wrong: all heads as one
def for_neighbours(W, heads):
    return W.unflatten(-1, (2, -1)).transpose(-2, -1).flatten(1)


# %% convention wrong: rows instead of columns
def for_neighbours(W, heads):
    return W.T.unflatten(-1, (heads, 2, -1)).transpose(-2, -1).flatten(1).T


# %% convention wrong: left as it is
def for_neighbours(W, heads):
    return W


# %% convention wrong: the first head only
def for_neighbours(W, heads):
    E = W.shape[1] // heads
    first = W[:, :E].unflatten(-1, (2, -1)).transpose(-2, -1).flatten(1)
    return torch.cat([first, W[:, E:]], dim=1)


# %% convention right: a list of columns
def for_neighbours(W, heads):
    E, columns = W.shape[1] // heads, []
    for h in range(heads):
        for i in range(E // 2):
            columns += [h * E + i, h * E + i + E // 2]
    return W[:, columns]


# %% convention right: a matrix that permutes
def for_neighbours(W, heads):
    E = W.shape[1] // heads
    block = torch.zeros(E, E)
    for i in range(E // 2):
        block[i, 2 * i] = block[i + E // 2, 2 * i + 1] = 1
    return W @ torch.block_diag(*[block] * heads)
