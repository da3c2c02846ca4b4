"""What stands before every page: who asks and whether they may (`guard`), from our own pages (`csrf`), and the header
fields that tell browsers what our pages never do (`headers`).
"""
