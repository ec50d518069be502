<?php

// Runs `verify.php`, which the page has, on cases.
require __DIR__ . '/verify.php';

$cases = json_decode(file_get_contents('php://stdin'), true, 16, JSON_THROW_ON_ERROR);
$judge = fn (array $one): bool => verify($one['secret'], $one['headers'], base64_decode($one['body_base64']), $one['now']);
echo json_encode(array_map($judge, $cases)), "\n";
