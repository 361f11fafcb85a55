/*
 * How the two sides of a packed ring put each other to sleep and wake each other: native/packed_tube.cc, packed_ring.h,
 * relief.cc, and what ports/drivers/tube-inbox.ts and tube-outbox.ts do with them. Spin looks at every order in which the
 * threads can take their steps; test/native/wake-up-model.test.ts runs it, as it is and with each of the mistakes that the
 * words behind #ifdef stand for.
 *
 *     Writer --> ring --+---------------------> Owner        bells: awake[WRITER], awake[OWNER], pressure
 *                       +--> Relief --> inbox ---^
 *
 * One direction of a tube. What goes the other way shares its bells, which here are rung for nothing as well. A packet is
 * its number, and takes 1 of the ring's SIZE bytes. Not here: lengths, indices beyond 2^32, nonsense of a lying peer.
 *
 * Memory is that of x86: a thread's stores wait in its buffer, first in first out, and are seen by others some time later.
 * Fences and exchanges wait for them. Records and the inbox are written past the buffer: nobody reads them who has not
 * seen the tail, or the end of the turn, that was stored after them.
 */

#ifndef PACKETS
#define PACKETS 5
#endif
#ifndef SIZE
#define SIZE 3
#endif
#define HALF (SIZE / 2)
#define INBOX 1
#ifndef STORES
#define STORES 1
#endif

/* What stores can be late to. */
#define TAIL 0
#define HEAD 1
#define PACKET_WANTED 2
#define PRESSURE_WANTED 3
#define ROOM_WANTED 4
#define TURN 5
byte memory[6];

#define WRITER 0
#define OWNER 1
#define RELIEF 2
chan stores[3] = [STORES] of { byte, byte };

byte records[SIZE];
chan inbox = [INBOX] of { byte };

/* Rung, and nobody has been told: several rings are one. A bell is silenced before its owner is told, and then looks. */
bool awake[2];
bool pressure;

/* Of the writer, in whose private memory its tail is. */
bool drops; /* Or it waits for half of the ring. */
bool isDone;
byte tail;
byte dropped;
#define SENT (tail + dropped)
byte asked; /* For how much room it sleeps. */

/* Of the reader's two threads, for who has the turn. */
byte head;
byte received;
bool takesAhead = true;
bool isRefused;
bool wasRefused;
byte atIt; /* How many threads take something out. */
bool progressed; /* Since the relief has looked for that. */

/* One of these happens, at any time, or nothing. */
mtype = { NOTHING, STRAY_RING, STALL, WRITER_DIES, READER_DIES };
mtype fate = NOTHING;
bool hasHungUp;

hidden byte word, value;

/* ---- Memory */

proctype Buffer(byte who) {
end:
  do
  :: d_step { stores[who]?word, value -> memory[word] = value }
  od
}

inline store(who, where, what) { stores[who]!where, what }

inline fence(who) { empty(stores[who]) }

inline exchange(who, where, what, was) {
  atomic { empty(stores[who]) -> was = memory[where]; memory[where] = what }
}

/* Grants somebody's wish. */
inline grant(who, where, bell) {
  if
  :: memory[where] != 0 ->
     exchange(who, where, 0, was);
     if
     :: atomic { was != 0 -> was = 0; bell = true }
     :: else
     fi
  :: else
  fi
}

/* ---- The writer */

#define FREE (SIZE - (tail - memory[HEAD]))

inline mayDie() {
  if
  :: atomic { fate == NOTHING -> fate = WRITER_DIES; goto dead }
  :: true
  fi
}

inline flush() {
  if
  :: unannounced ->
     atomic {
       unannounced = false;
#ifndef NO_FENCE_IN_FLUSH
       fence(WRITER);
#endif
     }
     grant(WRITER, PACKET_WANTED, awake[OWNER])
  :: else
  fi
}

inline waitForRoom(many) {
  do
  :: FREE >= many -> break
  :: else ->
     store(WRITER, ROOM_WANTED, many);
#ifndef NO_FENCE_IN_ARM_ROOM
     fence(WRITER);
#endif
     if
#ifndef WRITER_DOES_NOT_LOOK_AGAIN
     :: FREE >= many -> break
#endif
     :: else -> asked = many
     fi;
endAsleep:
     if
     :: atomic { awake[WRITER] -> awake[WRITER] = false; asked = 0 }
     :: atomic { fate == READER_DIES -> asked = 0; goto done }
     fi;
     mayDie()
  od
}

proctype Writer() {
  byte was;
  bool unannounced;
  do
  :: SENT < PACKETS ->
     if
     :: FREE == 0 ->
#ifndef SLEEPS_WITH_PACKETS_UNANNOUNCED
        flush();
#endif
        if
        :: !drops -> waitForRoom(HALF + 1)
        /* Who asks for can_send. */
        :: drops -> waitForRoom(1)
        :: drops
        fi
     :: else
     fi;
     if
     :: FREE == 0 -> dropped++
     :: else ->
        atomic { records[tail % SIZE] = tail; tail++; unannounced = true; store(WRITER, TAIL, tail) }
     fi;
     mayDie();
     if
     :: drops && FREE < SIZE - HALF -> grant(WRITER, PRESSURE_WANTED, pressure)
     :: else
     fi;
     /* The end of a turn of its event loop, or not. */
     if
     :: flush()
     :: true
     fi
  :: else -> break
  od;
  mayDie();
  flush();
done:
  isDone = true;
dead:
}

/* ---- The reader, in either thread */

inline tryForTurn(who) { exchange(who, TURN, 1, was) }

inline begin() { atomic { atIt++; assert(atIt == 1) } }

inline endTurn(who) {
  atomic { atIt--; store(who, TURN, 0) }
}

inline waiting(who) {
  atomic {
#ifndef NO_FENCE_IN_WAITING
    fence(who);
#endif
    left = memory[TAIL] - head
  }
}

inline tellOfRoom(who) {
  atomic {
#ifndef NO_FENCE_IN_TELL_OF_ROOM
    fence(who);
#endif
    wanted = memory[ROOM_WANTED]
  }
  if
  :: wanted != 0 && !hasHungUp ->
     if
     :: SIZE - (memory[TAIL] - head) >= wanted -> grant(who, ROOM_WANTED, awake[WRITER])
     :: else
     fi
  :: else
  fi;
  wanted = 0
}

inline askForRelief(who) {
#ifdef RELIEF_NEVER_REFUSES
  store(who, PRESSURE_WANTED, takesAhead)
#else
  atomic {
    isRefused = takesAhead && len(inbox) == INBOX;
    wasRefused = wasRefused || isRefused;
    store(who, PRESSURE_WANTED, takesAhead && !isRefused)
  }
#endif
}

/* ---- The owner */

inline deliver() { assert(packet == received); received++; packet = 0; got = true }

/* Takes one or more from the inbox, and only if that is empty from the ring. */
inline read() {
  begin();
  do
  :: len(inbox) > 0 -> atomic { inbox?packet -> deliver() }
  :: len(inbox) == 0 || got -> break
  od;
  if
  :: !got ->
     waiting(OWNER);
     do
     :: left > 0 ->
#ifdef PUBLISHES_BEFORE_IT_COPIES
        store(OWNER, HEAD, head + 1);
        atomic { packet = records[head % SIZE]; deliver(); left--; head++ }
#else
        atomic { packet = records[head % SIZE]; deliver(); left--; head++; store(OWNER, HEAD, head) }
#endif
     :: atomic { left == 0 || got -> left = 0; break }
     od;
     if
     :: got -> progressed = true; tellOfRoom(OWNER)
     :: else
     fi
  :: else
  fi;
#ifndef OWNER_DOES_NOT_ASK_AGAIN
  if
  :: isRefused && len(inbox) < INBOX -> askForRelief(OWNER)
  :: else
  fi;
#endif
  endTurn(OWNER)
}

/* How many packets wait, or whether there may be any, in `left`. */
inline armPackets() {
  tryForTurn(OWNER);
  if
  :: was != 0 ->
     was = 0;
#ifndef SLEEPS_WITHOUT_THE_TURN
     left = 1
#endif
  :: else ->
     atIt++;
     store(OWNER, PACKET_WANTED, 1);
#ifndef READER_DOES_NOT_LOOK_AGAIN
#ifndef READER_DOES_NOT_LOOK_INTO_THE_INBOX
     if
     :: len(inbox) > 0 -> left = 1
     :: len(inbox) == 0 -> waiting(OWNER)
     fi;
#else
     waiting(OWNER);
#endif
#endif
     endTurn(OWNER);
     if
     :: left != 0 -> exchange(OWNER, PACKET_WANTED, 0, was); was = 0
     :: else
     fi
  fi
}

/* The writer has died, and with it the processor has had to end its stores. */
#define HAS_GONE (fate == WRITER_DIES && len(stores[WRITER]) == 0)

proctype Owner() {
  byte left, was, wanted, packet;
  bool got;
  do
  :: tryForTurn(OWNER);
     if
     :: was != 0 -> was = 0
     :: else -> read()
     fi;
     if
     :: got -> got = false
     :: else ->
        armPackets();
        if
        :: left == 0 ->
#ifdef SILENCES_THE_BELL_AFTER_IT_HAS_LOOKED
           awake[OWNER] = false;
#endif
endAsleep:
           if
           :: atomic { awake[OWNER] -> awake[OWNER] = false }
           :: HAS_GONE -> break
           fi
        :: else -> left = 0
        fi
     fi;
     /* Between two turns of its event loop. */
     if
     :: atomic { awake[OWNER] -> awake[OWNER] = false }
     :: HAS_GONE -> break
     :: atomic { fate == NOTHING -> fate = STALL; goto ended }
     :: atomic { fate == NOTHING -> fate = READER_DIES; goto ended }
     :: true
     fi
  od;
  /* The hypervisor has said so. */
  hasHungUp = true;
  do
  :: tryForTurn(OWNER);
     if
     :: was == 0 -> break
     :: else
     fi
  od;
  atIt++;
  takesAhead = false;
  endTurn(OWNER);
  do
  :: tryForTurn(OWNER);
     if
     :: was == 0 ->
        read();
        if
        :: got -> got = false
        :: else -> break
        fi
#ifdef ONLY_TRIES_AFTER_HANG_UP
     :: else -> break
#else
     :: else -> was = 0
#endif
     fi
  od;
ended:
}

/* ---- The relief */

proctype Relief() {
  byte left, was, wanted;
  bool again;
end:
  do
  :: atomic { pressure -> pressure = false; progressed = false }
     do
     :: /* The timer; what is rung for meanwhile changes nothing. */
        if
        :: atomic { pressure -> pressure = false }
        :: true
        fi;
#ifndef RELIEF_WITHOUT_THE_TURN
        tryForTurn(RELIEF);
#endif
        if
        :: was != 0 -> was = 0; again = true
        :: else ->
           begin();
           if
           :: takesAhead && !progressed ->
              waiting(RELIEF);
              do
              :: atomic {
                   left > 0 && len(inbox) < INBOX ->
                   inbox!records[head % SIZE];
                   left--;
                   head++;
                   store(RELIEF, HEAD, head)
                 }
              :: left == 0 || len(inbox) == INBOX -> left = 0; break
              od;
#ifndef RELIEF_DOES_NOT_TELL_OF_ROOM
              tellOfRoom(RELIEF)
#endif
           :: else
           fi;
           askForRelief(RELIEF);
#ifndef RELIEF_DOES_NOT_LOOK_AGAIN
           waiting(RELIEF);
           if
           :: takesAhead && left > HALF && memory[PRESSURE_WANTED] != 0 ->
              exchange(RELIEF, PRESSURE_WANTED, 0, was);
              atomic { again = was != 0; was = 0 }
           :: else
           fi;
           left = 0;
#endif
           endTurn(RELIEF)
        fi;
        if
        :: again -> atomic { again = false; progressed = false }
        :: else -> break
        fi
     od
  od
}

/* ---- Everything else */

#ifdef BELLS_RING_FOR_NOTHING
/* Once. */
proctype Stray() {
end:
  atomic {
    fate == NOTHING -> fate = STRAY_RING;
    if
    :: awake[OWNER] = true
    :: awake[WRITER] = true
    :: pressure = true
    fi
  }
}
#endif

/* When nobody has anything to do any more. */
proctype Judge() {
  timeout;
  assert(atIt == 0 && memory[TURN] == 0);
  if
  :: fate == READER_DIES -> assert(isDone)
  :: fate == WRITER_DIES -> assert(hasHungUp && received == memory[TAIL] && len(inbox) == 0)
  :: fate == STALL ->
     assert(received + len(inbox) + memory[TAIL] - head + dropped == SENT);
     assert(isDone || (asked > 0 && FREE < asked));
     /* The relief is still to be rung for, or has no room. */
     assert(memory[PRESSURE_WANTED] == 1 || len(inbox) == INBOX);
     /*
      * Nor has it left a ring full. The writer, which has no fence before it looks who wants to hear of pressure, may miss
      * that for as many packets as its buffer holds, until it looks with the next one: fewer than from half to full.
      */
     assert(FREE > 0 || !drops || wasRefused || STORES >= SIZE - HALF)
  :: else -> assert(isDone && SENT == PACKETS && received + dropped == SENT)
  fi
}

init {
  atomic {
    memory[PRESSURE_WANTED] = 1;
    if
    :: drops = true
    :: drops = false
    fi;
    run Buffer(WRITER);
    run Buffer(OWNER);
    run Buffer(RELIEF);
    run Writer();
    run Owner();
    run Relief();
#ifdef BELLS_RING_FOR_NOTHING
    run Stray();
#endif
    run Judge()
  }
}
