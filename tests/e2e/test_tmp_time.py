import time, threading
from test_kills import *
def test_t(gateway):
    t=time.time()
    server=gateway(); print('start',time.time()-t)
    done=threading.Event(); pushers=start_pushers(server,done); print('pushers',time.time()-t)
    server.stop(); print('stop',time.time()-t)
    done.set()
    for p in pushers: p.join()
    print('join',time.time()-t)
    server.start(); print('start',time.time()-t)
