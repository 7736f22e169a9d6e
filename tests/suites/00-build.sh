# The build itself, with every warning an error.
# needs: nothing
if $MAKE all unit-programs; then
    echo "build $CC: 1 passed, 0 failed"
else
    echo "build $CC: 0 passed, 1 failed"
    exit 1
fi
