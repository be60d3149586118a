# fish completion for sftdyn; CONF is a file, which fish completes by itself.

complete -c sftdyn -n '__fish_seen_subcommand_from key why; and test (count (commandline -opc)) -eq 2' -f

complete -c sftdyn -n __fish_is_first_arg -a check -d 'Check the configuration and all that it needs'
complete -c sftdyn -n __fish_is_first_arg -a key -d 'Make a new update key'
complete -c sftdyn -n __fish_is_first_arg -a status -d 'Tell who calls in'
complete -c sftdyn -n __fish_is_first_arg -a why -d "Tell where a host's update gets stuck"
complete -c sftdyn -n __fish_is_first_arg -a import -d "Print the Python sftdyn's configuration as a sftdyn.toml"

complete -c sftdyn -s l -l http -x -d 'Serve HTTP there: PORT, IP4:PORT or [IP6]:PORT'
complete -c sftdyn -s s -l https -x -d 'Serve HTTPS there'
complete -c sftdyn -s c -l cert -r -F -d 'The certificate for HTTPS, PEM'
complete -c sftdyn -s k -l key -r -F -d 'Its private key, PEM'
complete -c sftdyn -l nskeyfile -r -F -d 'The TSIG key for the nameserver'
complete -c sftdyn -l log -x -a 'text json' -d 'How to log'
complete -c sftdyn -n '__fish_seen_subcommand_from key' -l dyndns2 -d 'Print what to type into a router'
complete -c sftdyn -n '__fish_seen_subcommand_from key' -l digest -d 'Only the digest for CONF'
complete -c sftdyn -n '__fish_seen_subcommand_from status' -l stale -x -a '30m 12h 1d 2w' -d 'Only hosts that have not called for so long'
complete -c sftdyn -n '__fish_seen_subcommand_from status' -l json -d 'For programs'
complete -c sftdyn -s v -l verbose -d 'Log more'
complete -c sftdyn -s q -l quiet -d 'Log less'
complete -c sftdyn -s V -l version -d 'Print the version'
complete -c sftdyn -s h -l help -d 'Print the usage'
