# The rules of the house: layers, symbols, sizes, format and so on.
# needs: nothing
status=0
for guard in tests/guards/*.sh; do
    output=$(sh "$guard" 2>&1)
    result=$?
    printf '%s\n' "$output"
    printf '%s\n' "$output" | grep -q ': [0-9]* passed, [0-9]* failed$' ||
        echo "guard $(basename "$guard" .sh) printed no count: 0 passed, 1 failed"
    [ "$result" -eq 0 ] || status=1
done
exit $status
