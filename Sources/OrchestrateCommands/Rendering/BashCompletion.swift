import ArgumentParser

/// The parser's script for bash, which knows the commands and not what may stand before them.
enum BashCompletion {
    static var script: String {
        let function = "-F _orchestrate orchestrate"
        let ours = "-F __orchestrate_anywhere orchestrate"
        return OrchestrateCommand.completionScript(for: .bash).replacing(function, with: ours) + leadingOptions
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
