#!/usr/bin/env bash
# A collector of the tests. It says who it is to the port EAR, then goes on to say so every 10 ms. Its connection is
# inherited by whatever it forks, so that its end is the end of all of it. MISCHIEF says what else it does.
[[ -n "$1" ]] || exec 3<>"/dev/tcp/127.0.0.1/$EAR"
echo "$$ ${1:-first} role=${CLIENT_FAILOVER_ROLE-none} mode=${CLIENT_FAILOVER_MODE-none}" \
    "epoch=${CLIENT_FAILOVER_EPOCH-none} url=${CLIENT_FAILOVER_URL-none} zone=${ZONE-none} user=$(id -u) in=$PWD" >&3
echo "a line of the collector"
[[ " $MISCHIEF " == *" deaf "* ]] && trap '' TERM INT HUP
if [[ " $MISCHIEF " == *" forks "* && -z "$1" ]]; then
    # Twice, into a session of its own, and its parent does not wait.
    (setsid "$BASH" "$0" forked &)
fi
[[ " $MISCHIEF " == *" fails "* && "$CLIENT_FAILOVER_ROLE" == Primary ]] && exit 3
# A wait that needs no process: for something to read that never comes.
exec 4<> <(:)
while echo "$$" >&3; do read -r -t 0.01 -u 4; done
