# bash completion for sftdyn; where it answers nothing, readline completes file names.

_sftdyn() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=
    COMPREPLY=()
    # Of --cert=FILE bash makes three words.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    case $prev in
        -l | --http | -s | --https | --stale)
            compopt +o default 2>/dev/null
            return
            ;;
        --log)
            # shellcheck disable=SC2207 # no word has a blank or a wildcard
            COMPREPLY=($(compgen -W "text json" -- "$cur"))
            return
            ;;
        -c | --cert | -k | --key | --nskeyfile)
            return
            ;;
    esac

    if [[ $cur == -* ]]; then
        words="-l --http -s --https -c --cert -k --key --nskeyfile --log --digest --dyndns2 --stale --json
            -v --verbose -q --quiet -V --version -h --help"
    elif ((COMP_CWORD == 1)); then
        words="check key status why import"
    elif [[ ${COMP_WORDS[1]} == key || ${COMP_WORDS[1]} == why ]] && ((COMP_CWORD == 2)); then
        compopt +o default 2>/dev/null
        return
    fi
    # shellcheck disable=SC2207 # no word has a blank or a wildcard
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -o default -F _sftdyn sftdyn
