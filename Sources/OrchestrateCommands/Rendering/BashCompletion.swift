import ArgumentParser

/// The parser's script for bash, which knows the commands and not what may stand before them.
enum BashCompletion {
    static var script: String {
        // The parser's script takes every word for the name of a file: a directory called as a sidecar is would be taken
        // for it, and of `api/0` only the `0` be shown.
        let function = "-o filenames -F _orchestrate orchestrate"
        let ours = "-F __orchestrate_anywhere orchestrate"
        return OrchestrateCommand.completionScript(for: .bash).replacing(function, with: ours) + fileNames + topics
            + leadingOptions
    }

    private static let fileNames = #"""


        # Only what is completed as a file is quoted as one, and followed by a slash where it is a directory; and what has
        # blanks is quoted.
        __orchestrate_add_completions() {
            local completion
            case "${1}" in
            -f|-d|-o) compopt -o filenames 2>/dev/null ;;
            esac
            while IFS='' read -r completion; do
                [[ "${completion}" == *[[:blank:]]* ]] && compopt -o filenames 2>/dev/null
                COMPREPLY+=("${completion}")
            done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
        }
        """#

    private static var topics: String {
        """


        # What there is help for.
        _orchestrate_help() {
            COMPREPLY=($(compgen -W '\(OrchestrateCommand.names.joined(separator: " "))' -- "${cur}"))
        }
        """
    }

    /// The same as `LeadingOptions`, on a line that is not whole yet.
    private static let leadingOptions = #"""


        # Which project is meant may stand before the command: it is completed as if it stood behind it.
        __orchestrate_anywhere() {
            local -a leading=()
            local -i next=1
            local is_value_missing=false
            while ((next < COMP_CWORD)); do
                case "${COMP_WORDS[next]}" in
                -f|--file) leading+=(--file) ;;
                --project) leading+=(--project) ;;
                *) break ;;
                esac
                next+=1
                # To bash the sign is a word of its own.
                [[ "${COMP_WORDS[next]}" == "=" ]] && next+=1
                if ((next >= COMP_CWORD)); then
                    is_value_missing=true
                    break
                fi
                leading+=("${COMP_WORDS[next]}")
                next+=1
            done
            if ((${#leading[@]} == 0)); then
                _orchestrate "${@}"
                return
            fi

            local -a words=("${COMP_WORDS[0]}")
            if "${is_value_missing}"; then
                # Any command that takes it.
                words+=(status "${leading[@]}" "${COMP_WORDS[@]:COMP_CWORD}")
            elif ((next == COMP_CWORD)); then
                words+=("${COMP_WORDS[@]:COMP_CWORD}")
            else
                words+=("${COMP_WORDS[next]}" "${leading[@]}" "${COMP_WORDS[@]:next + 1}")
            fi
            local -i current="$((${#words[@]} - ${#COMP_WORDS[@]} + COMP_CWORD))"
            local -a COMP_WORDS=("${words[@]}")
            local -i COMP_CWORD="${current}"
            local IFS=' '
            local COMP_LINE="${words[*]::current + 1}"
            local -i COMP_POINT="${#COMP_LINE}"
            COMP_LINE="${words[*]}"
            IFS=$' \t\n'
            _orchestrate "${1}" "${2}" "${COMP_WORDS[COMP_CWORD - 1]}"
        }
        """#
}
