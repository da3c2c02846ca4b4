"""gadmin: the gateway's configuration and its figures, in the browser and over REST.

`configuration` follows and writes the store, `accounts` knows users, sessions and tokens, `security` guards every
request, `fleet` asks the nodes; `forms` makes forms of documents and documents of forms; `api` and `pages` are what
people and programs see, one blueprint per noun. It keeps nothing of its own: any number of them may run.
"""
