"""Open-loop and closed-loop load on an exchange; latencies count from when an order was due.

    schedule     when each order is due
    orders       what they say
    http1        requests to bytes, bytes to replies
    lanes        keep-alive connections on one epoll
    open_loop    sends what is due, whatever the server does
    closed_loop  sends the next when the reply to the last has come
    worker       one process of it; `workers` runs several
    samples      what came of every order; percentiles
    report       the pages for people and programs

Only the standard library, and for the plots `tradeclear.testing.plots`, which needs no more.
"""
