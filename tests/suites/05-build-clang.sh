# The same sources through clang, with every warning an error.
# needs: servers
if $MAKE CC=clang BUILD="$BUILD/clang" all unit-programs >"$BUILD/check/clang.out" 2>&1; then
    echo "build clang: 1 passed, 0 failed"
else
    cat "$BUILD/check/clang.out"
    echo "build clang: 0 passed, 1 failed"
    exit 1
fi
