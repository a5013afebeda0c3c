;; H16: spins while it is instantiated.
(component
  (core module $m
    (memory 1)
    (func $start (loop $again (br $again)))
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
