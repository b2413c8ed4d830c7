"""The checker: clients and a nemesis at work on one cluster, and the rules that must still hold.

`plan` is what is to happen, a pure function of the seed. `clients` and `nemesis` do it to a
`cluster`, through the `proxy`, and write down what they saw (`history`). `aftermath` reads what is
there at the end, and `rules` hold the one against the other.
"""
